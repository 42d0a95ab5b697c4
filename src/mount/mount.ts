/**
 * Mounts a file system: makes the mount, agrees with the kernel on abilities, starts the workers
 * that serve it, and takes all of it down again. Runs in the main isolate and never blocks it for
 * long, so that signals and timers work.
 *
 * @module
 */

import { hasFailed } from "#ffi/libc/metadata.ts";
import { close, read, write } from "#ffi/libc/calls.ts";
import { cloneDevice } from "#ffi/libfuse3/device.ts";
import { abortConnection } from "#ffi/libfuse3/connection.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { Errno, unwrap } from "#ffi/os_error.ts";
import { type InitWish, negotiateInit, type Negotiation } from "#ffi/libfuse3/init.ts";
import { InitFlag, initFlagNames } from "#ffi/libfuse3/kernel.ts";
import { loadLibfuse3 } from "#ffi/libfuse3/load.ts";
import { formatMountOptions } from "#ffi/libfuse3/mount_options.ts";
import { makeOperationsTable } from "#ffi/libfuse3/operations_table.ts";
import { FuseSession } from "#ffi/libfuse3/session.ts";
import { StateError, UsageError } from "#src/errors.ts";
import { findMountHolders, type MountHolder } from "./mount_holders.ts";
import {
  prepareMountPoint,
  reserveMountPoint,
  resolveMountPoint,
  type UnmountOptions,
  unmountPath,
} from "./mount_point.ts";
import { identifyMount, isSameMount, type MountIdentity } from "./mount_identity.ts";
import { type PassthroughState, probePassthrough, stackDepthFor } from "./passthrough.ts";
import { setReadAhead } from "./read_ahead.ts";
import type { WaitReport } from "./pending/wait_guard.ts";
import { RESERVE_COUNT } from "./pending/wait_table.ts";
import { allocateStatistics, MountStatistics } from "./statistics.ts";
import type { StartMessage } from "./worker_protocol.ts";
import { type BorrowWorker, type PoolListeners, WorkerPool } from "./worker_pool.ts";

/** What is mounted where, by how many workers, and what the kernel shall check. */
export interface MountFileSystemOptions extends PoolListeners {
  /** An existing, empty directory. */
  readonly mountPoint: string;
  /** Name of the source in df and the mount table. */
  readonly fsname: string;
  /** Users other than this one may enter. */
  readonly allowOther: boolean;
  /** The kernel refuses all changes by itself. */
  readonly readOnly?: boolean;
  /** Access is to be checked by the POSIX ACLs of files: costs a request for each. */
  readonly posixAcls?: boolean;
  /** Threads that serve; default: {@link defaultWorkerCount}. */
  readonly workers?: number | undefined;
  /**
   * How long a request may wait for its source before it fails with EIO, in milliseconds; default:
   * for ever, as on a disk.
   */
  readonly requestTimeoutMs?: number | undefined;
  /** Cloned to every worker for its file system factory. */
  readonly description: unknown;
  /**
   * One file on each file system that backing files will lie on; they tell whether, and how, the
   * kernel can pass reads and writes through to there. Without any nothing is passed through.
   */
  readonly backingPaths?: readonly string[];
  /**
   * Module that the workers start from, which calls `serveWorker`; needed unless they are
   * {@link launched}.
   */
  readonly workerUrl?: string;
  /** Workers of {@link launchWorkers}; the options of workers above are then ignored. */
  readonly launched?: WorkerPool;
  /** Library file to use instead of the installed libfuse3. */
  readonly libfusePath?: string;
  /** False: libfuse reads all requests, as a reference for tests. */
  readonly fastPath?: boolean;
}

/** What to do with a mount that is in use. */
export interface EndOptions {
  /**
   * When files are in use: `refuse` leaves the mount as it is and throws, `detach` takes it out of
   * the name space, waits, and ends it by force after {@link END_TIMEOUT_MS}.
   */
  readonly whenBusy: "refuse" | "detach";
}

/** How long an ending mount may go on serving open files, in milliseconds. */
export const END_TIMEOUT_MS = 5000;

/** How long the first worker may take to be ready, in milliseconds. */
const START_TIMEOUT_MS = 30_000;

/** Time in which other places of a mount are looked for. */
const HOLDERS_TIMEOUT_MS = 1000;

/** How long workers may take to end after the connection was ended by force, in milliseconds. */
const ABORT_TIMEOUT_MS = 1000;

const SUBTYPE = "pbkfs";

/**
 * Default number of workers of a mount: one a core, at least 2, at most 4.
 */
export function defaultWorkerCount(): number {
  return Math.max(2, Math.min(4, navigator.hardwareConcurrency));
}

/**
 * Starts the first thread of a mount before {@link mountFileSystem}, so that it loads its code
 * while the caller has other things to prepare. Without a mount they must be ended by
 * `terminate()`.
 *
 * @param options `borrowWorker` gets threads from whoever can start them sooner than this one;
 *   `othersAfterMs` is how long after the first one serves the others are started, which cost
 *   processor time. Default: 0
 * @throws {UsageError} without a module
 */
export function launchWorkers(
  options: Pick<MountFileSystemOptions, "workers" | "workerUrl" | keyof PoolListeners> & {
    readonly borrowWorker?: BorrowWorker | undefined;
    readonly othersAfterMs?: number | undefined;
  },
): WorkerPool {
  const { workerUrl: url, workers = defaultWorkerCount(), borrowWorker: borrow, othersAfterMs } =
    options;
  if (url === undefined) {
    throw new UsageError("Cannot start workers: no module is given");
  }
  const pool = new WorkerPool({ url, borrow, othersAfterMs }, workers, options);
  pool.launch();
  return pool;
}

/** A mount that is being served. */
export class MountedFileSystem {
  /** Absolute path without links. */
  readonly mountPoint: string;
  /** Names of the abilities agreed on with the kernel, such as `PASSTHROUGH`. */
  readonly kernelFeatures: readonly string[];
  /** The kernel checks access by POSIX ACLs. */
  readonly posixAcls: boolean;
  /** What the kernel reads and writes by itself. */
  readonly passthrough: PassthroughState;
  /** Workers that serve. */
  readonly workerCount: number;
  /** A dead mount of a killed program was removed from the mount point. */
  readonly repaired: boolean;
  /** Counts of requests since the mount was made. */
  readonly statistics: MountStatistics;
  /**
   * Settles when the mount has ended and all workers are done: fulfilled after {@link unmount}, an
   * unmount from outside or an abort; rejected when a worker failed.
   */
  readonly closed: Promise<void>;
  /**
   * Settles when all workers serve, or the mount has ended before: at first one does. Rejected when
   * a worker failed.
   */
  readonly complete: Promise<void>;

  /** By which it is known in the kernel's tables of mounts; undefined when it has ended at once. */
  readonly identity: MountIdentity | undefined;

  readonly #session: FuseSession;
  readonly #pool: WorkerPool;
  /** The mount has left its mount point. */
  #isDetached = false;
  #isSessionUnmounted = false;

  /** @internal Made by {@link mountFileSystem}. */
  constructor(parts: {
    mountPoint: string;
    negotiation: Negotiation;
    passthrough: PassthroughState;
    session: FuseSession;
    pool: WorkerPool;
    statistics: MountStatistics;
    repaired: boolean;
  }) {
    this.mountPoint = parts.mountPoint;
    this.kernelFeatures = initFlagNames(parts.negotiation.flags, parts.negotiation.flags2)
      .filter((name) => name !== "PASSTHROUGH" || parts.passthrough.isOn);
    this.posixAcls = parts.negotiation.posixAcls;
    this.passthrough = parts.passthrough;
    this.workerCount = parts.pool.workerCount;
    this.repaired = parts.repaired;
    this.statistics = parts.statistics;
    this.#session = parts.session;
    this.#pool = parts.pool;
    this.identity = identifyMount(parts.mountPoint);
    if (this.identity !== undefined) setReadAhead(this.identity.device);
    this.complete = parts.pool.complete();
    this.closed = this.#waitForEnd();
    // Whoever does not look at `closed` learns of the failure through `onFailure`.
    this.closed.catch(() => {});
  }

  /**
   * Ends the mount.
   *
   * @throws {StateError} `busy` when files are in use and `whenBusy` is `refuse`; `timeout` when
   *   the mount was detached but files are still open and the connection cannot be ended from
   *   inside: then `closed` settles with the last close, and the end of the process ends everything
   */
  async unmount(options: EndOptions = { whenBusy: "detach" }): Promise<void> {
    if (!this.#isDetached) {
      // In the first case the session is unmounted when the workers are done: the mount may still
      // end a moment later.
      if (options.whenBusy === "refuse") {
        using _paused = await this.#pool.pausePreloading();
        unmountPath(this.mountPoint);
      } else {
        this.#unmountSession();
      }
      this.#isDetached = true;
    }
    if (!await this.#hasEnded()) {
      throw new StateError("timeout", `Files on "${this.mountPoint}" are still in use`, {
        hint: "They are served until they are closed, or until this process ends",
      });
    }
  }

  /**
   * Unmounts at the mount point, and nowhere else; does nothing when the mount is not there any
   * more.
   *
   * @throws {StateError} `busy` when it is in use there
   */
  leaveMountPoint(options: UnmountOptions = {}): void {
    if (this.#isAtMountPoint()) unmountPath(this.mountPoint, options);
    this.#isDetached = true;
  }

  /** What waits for the source now. */
  waitReport(): WaitReport {
    return this.#pool.waitReport();
  }

  /** Other places at which the mount can be seen, as {@link findMountHolders} does. */
  holders(): MountHolder[] {
    return this.identity === undefined ? [] : findMountHolders(this.identity, HOLDERS_TIMEOUT_MS);
  }

  /** Whether the mount ends within a time. Rejects as {@link closed} does. */
  closesWithin(timeoutMs: number): Promise<boolean> {
    return settlesWithin(this.closed, timeoutMs);
  }

  /**
   * Ends a mount that has no mount point left: files that are still open are served for
   * {@link END_TIMEOUT_MS} more. Where this user cannot end the connection they are served until
   * this process ends.
   */
  async end(): Promise<void> {
    await this.#hasEnded();
  }

  async #hasEnded(): Promise<boolean> {
    if (await this.closesWithin(END_TIMEOUT_MS)) return true;
    this.#abort();
    return await this.closesWithin(ABORT_TIMEOUT_MS);
  }

  async #waitForEnd(): Promise<void> {
    try {
      await this.#pool.firstFailure();
    } catch (error) {
      // The request that the failed worker was handling is never answered: end everything rather
      // than let programs hang.
      this.#abort();
      this.#unmountSession();
      throw error;
    }
    this.#unmountSession();
    this.#session.destroy();
  }

  #unmountSession(): void {
    this.#isDetached = true;
    if (this.#isSessionUnmounted) return;
    this.#isSessionUnmounted = true;
    this.#session.unmount();
  }

  /** The mount point may hold another mount by now. */
  #isAtMountPoint(): boolean {
    const there = identifyMount(this.mountPoint);
    return there !== undefined && this.identity !== undefined && isSameMount(there, this.identity);
  }

  /**
   * Ends the connection: requests in flight and open files fail from now on. Needs root, else
   * nothing happens.
   */
  #abort(): void {
    // Its number may be that of another one by then.
    if (hasFailed(this.#session.fd)) return;
    if (!this.#isDetached && this.#isAtMountPoint()) {
      try {
        unmountPath(this.mountPoint, { lazy: true, force: true });
        return;
      } catch {
        // Not mounted there any more: the kernel's control file is left.
      }
    }
    const [, connection] = this.identity?.device.split(":") ?? [];
    if (connection !== undefined) abortConnection(connection);
  }
}

/**
 * Mounts and serves a file system; returns when it answers.
 *
 * @throws {UsageError} when the mount point cannot be used
 * @throws {StateError} `busy` when something is mounted there
 * @throws {OsError} when libfuse3 is missing or the mount fails
 */
export async function mountFileSystem(
  options: MountFileSystemOptions,
): Promise<MountedFileSystem> {
  const mountPoint = resolveMountPoint(options.mountPoint);
  const repaired = await prepareMountPoint(mountPoint);
  const library = loadLibfuse3(options.libfusePath);
  const mountOptions = formatMountOptions({
    fsname: options.fsname,
    subtype: SUBTYPE,
    allowOther: options.allowOther,
    readOnly: options.readOnly ?? false,
  });
  const session = new FuseSession(library, mountOptions, makeOperationsTable());
  mountReserved(session, mountPoint);
  let pool: WorkerPool | undefined;
  let workersFd = -1;
  try {
    const deviceFd = session.fd;
    const { backingPaths = [] } = options;
    const stackDepth = backingPaths.length === 0 ? 0 : stackDepthFor(backingPaths);
    const negotiation = answerInit(deviceFd, {
      stackDepth,
      posixAcls: options.posixAcls ?? false,
    });
    const passthrough = probePassthrough(deviceFd, backingPaths, negotiation.stackDepth);
    pool = options.launched ?? launchWorkers(options);
    const { workerCount } = pool;
    // Workers may still be starting when an unmount has closed the session's own.
    workersFd = cloneDevice(deviceFd);
    const statistics = allocateStatistics(workerCount + RESERVE_COUNT);
    await pool.start(
      {
        deviceFd: workersFd,
        initReplay: negotiation.replay,
        passthrough: passthrough.isOn,
        posixAcls: negotiation.posixAcls,
        hasLongSetxattr: (negotiation.flags >>> InitFlag.SETXATTR_EXT & 1) === 1,
        mountPoint,
        mountOptions,
        libfusePath: options.libfusePath,
        fastPath: options.fastPath ?? true,
        description: options.description,
        statistics,
      } satisfies Partial<StartMessage>,
      START_TIMEOUT_MS,
      options.requestTimeoutMs,
    );
    // The reserve may want it at any time. After a failure others may: then it stays open, as long
    // as this process lives.
    pool.firstFailure().then(() => close(workersFd), () => {});
    return new MountedFileSystem({
      mountPoint,
      negotiation,
      passthrough,
      session,
      pool,
      statistics: new MountStatistics(statistics, workerCount + RESERVE_COUNT),
      repaired,
    });
  } catch (error) {
    // Workers that are blocked in the kernel wake up when the mount goes.
    session.unmount();
    pool?.terminate();
    session.destroy();
    if (workersFd >= 0) close(workersFd);
    throw error;
  }
}

function mountReserved(session: FuseSession, mountPoint: string): void {
  const reservation = reserveMountPoint(mountPoint);
  try {
    session.mount(mountPoint);
  } finally {
    close(reservation);
  }
}

/** Room for the INIT request: the kernel wants at least this much in any read. */
const INIT_BUFFER_SIZE = 8192;

/** Reads the kernel's first request and answers it. */
function answerInit(deviceFd: number, wish: InitWish): Negotiation {
  const buffer = nativeBufferOf(new Uint8Array(INIT_BUFFER_SIZE));
  let size: number;
  do {
    size = read(deviceFd, buffer.address, BigInt(INIT_BUFFER_SIZE));
  } while (size === -Errno.EINTR);
  unwrap(size, "read", "/dev/fuse");
  const negotiation = negotiateInit(buffer.bytes.slice(0, size), wish);
  const { answer } = negotiation;
  const written = write(deviceFd, nativeBufferOf(answer).address, BigInt(answer.length));
  unwrap(written, "write", "/dev/fuse");
  return negotiation;
}

/** Whether `promise` settles (either way) within `timeoutMs`; rejects as it does. */
async function settlesWithin(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
