/**
 * Takes a mount down from outside, whatever state it is in.
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import { removeFile } from "#src/io/files/whole_file.ts";
import { OsError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { findMountHolders, type MountHolder } from "#src/mount/mount_holders.ts";
import type { MountIdentity } from "#src/mount/mount_identity.ts";
import { probeMountPoint, unmountPath } from "#src/mount/mount_point.ts";
import { findMount, readMountTable } from "#src/mount/mount_table.ts";
import { findMountUsers, type MountUser } from "#src/mount/mount_users.ts";
import { openControlDirectory } from "#src/overlay/control_directory.ts";
import { emptyTemporaryDirectory } from "#src/overlay/diff_directory.ts";
import { acquireDiffLock, type DiffLock } from "#src/overlay/diff_lock.ts";
import {
  checkOutcome,
  endStarting,
  killWorker,
  notEnding,
  requireRunning,
  signalWorker,
  waitUntilGone,
} from "./control/end_worker.ts";
import {
  findMountAt,
  findWorkerOf,
  type FoundMount,
  MOUNT_TYPE,
  mountServedBy,
  type Worker,
} from "./control/find_worker.ts";
import {
  busyMount,
  diskInUse,
  heldElsewhere,
  notMounted,
  unansweringMount,
} from "./control/mount_errors.ts";
import { PID_FILE_NAME, STAT_FILE_NAME } from "./control/worker_files.ts";
import { formatUnmountCall } from "./control/unmount_call.ts";

const POLL_MS = 10;
/** What still uses a mount for a moment after a server has stopped is given this time to go. */
const BUSY_TIMEOUT_MS = 2000;
const BUSY_PAUSE_MS = 100;
/** A worker that has much to make durable takes its time. */
const END_TIMEOUT_MS = 60_000;
/**
 * A worker learns of the end of its mount at once; if it has not by then, somebody has the mount
 * elsewhere.
 */
const NOTICE_TIMEOUT_MS = 300;
/** In this time nobody uses a mount any more that was free to be taken away. */
const UNUSED_TIMEOUT_MS = 1500;
/**
 * In this time a worker without a mount point ends what programs still do with their open files.
 */
const ABORT_TIMEOUT_MS = 15_000;
/** Time in which programs that use a mount are looked for. */
const USERS_TIMEOUT_MS = 1000;
/** Time in which others who have the mount are looked for. */
const HOLDERS_TIMEOUT_MS = 1000;

/** A file system, at whatever place. */
type Served = Pick<MountIdentity, "device" | "source">;

/** How to unmount. */
export interface UnmountRequest {
  readonly mountPath: string;
  /** Where the diff directory is: its worker is ended even if it has no mount point left. */
  readonly diffPath: string | undefined;
  /** Kill the worker and detach the mount although it is in use. */
  readonly force: boolean;
}

/** What is to be told of an unmount that worked. */
export interface UnmountOutcome {
  /** What could not be known. */
  readonly warning: string | undefined;
}

/**
 * Unmounts and waits until the worker has ended.
 *
 * @throws {StateError} `not-mounted`; `busy` when it is in use, or mounted elsewhere too; `stopped`
 *   or `timeout` when the worker does not answer or does not end
 * @throws {ProtocolError} when the mount has ended, but the worker could not make everything
 *   durable
 */
export async function unmount(request: UnmountRequest): Promise<UnmountOutcome> {
  using mount = await findMountAt(request.mountPath, request.diffPath);
  const { entry, worker, mountPath } = mount;
  // All paths are absolute by now, and this process is not to be in its own way.
  host.changeDirectory("/");
  if (entry === undefined && worker === undefined) throw notMounted(mount);
  if (request.force) return await killAndDetach(mount);
  if (worker === undefined) {
    return await unmountUnseen(mount);
  } else if (entry === undefined || worker.card.read().state === "starting") {
    await endUnmounted(worker, mountPath);
  } else {
    requireRunning(worker, mountPath);
    await unmountWhenFree(mountPath);
    await waitForEnd(worker, mountPath);
  }
  return { warning: undefined };
}

async function unmountWhenFree(mountPath: string): Promise<void> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      unmountPath(mountPath);
      return;
    } catch (error) {
      // Others may have been quicker.
      if (error instanceof StateError && error.code === "not-mounted") return;
      if (!(error instanceof StateError) || error.code !== "busy") throw error;
      if (performance.now() > deadline) throw busyMount(mountPath, usersOf(mountPath), error);
    }
    await pause(BUSY_PAUSE_MS);
  }
}

function usersOf(mountPath: string): MountUser[] {
  return findMountUsers(mountPath, USERS_TIMEOUT_MS);
}

/**
 * Waits for the end of a worker whose mount was just taken away, and says what stands in its way.
 */
async function waitForEnd(worker: Worker, mountPath: string): Promise<void> {
  await waitWhile(worker, (passedMs) => {
    if (passedMs < NOTICE_TIMEOUT_MS) return;
    const { mount, mount_path: ownPath } = worker.card.read();
    const holders = findMountHolders(mount!, HOLDERS_TIMEOUT_MS);
    // The number of a mount that has ended meanwhile may be another one's by now.
    if (worker.card.read().state !== "mounted") return;
    // What was taken away was one more mount of it.
    if (mountPath !== ownPath && holders.some((each) => each.mountPoint === ownPath)) return "done";
    if (holders.length > 0) throw heldElsewhere(mountPath, holders);
    if (passedMs > UNUSED_TIMEOUT_MS) throw stillUsed(worker, mountPath);
    return;
  });
}

/**
 * Waits for the end of a worker that was told to end, although somebody may use what it has
 * mounted.
 */
async function waitForToldEnd(worker: Worker, mountPath: string): Promise<void> {
  await waitWhile(worker, (passedMs) => {
    if (passedMs > ABORT_TIMEOUT_MS) throw toldButUsed(worker, mountPath);
  });
}

/**
 * @param judge looks at a worker whose mount has not ended yet: throws, or says that there is
 *   nothing more to wait for
 */
async function waitWhile(
  worker: Worker,
  judge: (passedMs: number) => "done" | void,
): Promise<void> {
  const start = performance.now();
  while (worker.process.state !== "ended") {
    const passedMs = performance.now() - start;
    const { state, mount_path: mountPath } = worker.card.read();
    requireRunning(worker, mountPath);
    if (state === "mounted" && judge(passedMs) === "done") return;
    if (passedMs > END_TIMEOUT_MS) throw stillSettling(worker);
    await pause(passedMs > NOTICE_TIMEOUT_MS ? BUSY_PAUSE_MS : POLL_MS);
  }
  await waitUntilGone(worker);
  checkOutcome(worker);
}

function stillUsed({ pid }: Worker, mountPath: string): StateError {
  const message = `unmounted from ${mountPath}, but worker ${pid} still serves it`;
  return new StateError(
    "busy",
    `${message}: it hangs, or is used in a mount namespace that cannot be seen`,
    {
      hint: `Stop the programs that use it there, or run ${
        formatUnmountCall({ mountPath, force: true })
      }`,
    },
  );
}

function toldButUsed({ pid }: Worker, mountPath: string): StateError {
  return new StateError(
    "busy",
    `target is busy: worker ${pid} hangs, or ends when nobody uses it any more`,
    {
      hint: `Stop the programs that use it, or end it at once with ${
        formatUnmountCall({ mountPath, force: true })
      }`,
    },
  );
}

function stillSettling({ pid }: Worker): StateError {
  return new StateError("timeout", `worker ${pid} is still making changes durable`, {
    hint: "Run the same command again to wait longer",
  });
}

/** A worker that has not mounted yet, or whose mount point was taken away. */
async function endUnmounted(worker: Worker, mountPath: string): Promise<void> {
  const { state, mount } = worker.card.read();
  if (state === "starting") {
    await endStarting(worker);
    removeDeadMount(mountPath);
    return;
  }
  requireRunning(worker, mountPath);
  if (state === "mounted") {
    const ownNamespace = worker.process.mountNamespace;
    const others = findMountHolders(mount!, HOLDERS_TIMEOUT_MS)
      .filter((each) => each.namespace !== ownNamespace || each.mountPoint !== mountPath);
    if (others.length > 0) throw heldElsewhere(mountPath, others);
    signalWorker(worker, host.SIGTERM);
  }
  await waitForToldEnd(worker, mountPath);
}

/** What a worker that was killed had mounted in the last moment. */
function removeDeadMount(mountPath: string): void {
  const entry = findMount(mountPath);
  if (entry?.type !== MOUNT_TYPE) return;
  using worker = findWorkerOf(entry);
  if (worker === undefined) detach(mountPath, false);
}

/** A mount whose worker is gone, or in a place where this user cannot see it. */
async function unmountUnseen(mount: FoundMount): Promise<UnmountOutcome> {
  const { mountPath, entry } = mount;
  const answer = await probeMountPoint(mountPath);
  if (answer === "dead") {
    // What still refers to a mount whose worker is gone gets nothing but errors.
    unmountPath(mountPath, { lazy: true });
    return {
      warning: `the process that served "${mountPath}" had ended before: what programs had ` +
        "not synced is lost if the system goes down before it is on the disk",
    };
  }
  if (answer === "silent") throw unansweringMount(mountPath);
  await unmountWhenFree(mountPath);
  const holders = findMountHolders(entry!, HOLDERS_TIMEOUT_MS);
  if (holders.length > 0) throw heldElsewhere(mountPath, holders);
  return {
    warning: `the process that served "${mountPath}" cannot be seen from here: only its log says ` +
      "whether all changes are durable",
  };
}

async function killAndDetach(mount: FoundMount): Promise<UnmountOutcome> {
  const { entry, worker, diffPath, mountPath } = mount;
  // What the kernel reads and writes itself for an open file it goes on with after the end of the
  // mount.
  const users = diffPath === undefined ? [] : usersOf(mountPath);
  const hasEnded = worker === undefined || await killWorker(worker);
  // A worker that was just starting may have mounted before it was killed.
  const served = entry ?? (worker && mountServedBy(worker.card.read()));
  // A connection that nobody serves ends by itself; otherwise it is ended here.
  const isServed = worker === undefined || !hasEnded;
  for (const { mountPoint } of ownMounts(served)) detach(mountPoint, isServed);
  if (!hasEnded) throw notEnding(worker);
  if (diffPath !== undefined) removeWorkerFiles(diffPath);
  return { warning: diskInUse(users) };
}

/** All mounts of a file system in this namespace, the uppermost first. */
function ownMounts(served: Served | undefined): Pick<MountHolder, "mountPoint">[] {
  if (served === undefined) return [];
  return readMountTable().filter(({ device, source, type }) =>
    type === MOUNT_TYPE && device === served.device && source === served.source
  ).reverse();
}

function detach(mountPoint: string, force: boolean): void {
  try {
    unmountPath(mountPoint, { lazy: true, force });
  } catch (error) {
    // Others may have been quicker.
    if (!(error instanceof StateError) || error.code !== "not-mounted") throw error;
  }
}

/**
 * What a killed worker could not take away itself, unless another one has the diff directory by
 * now.
 */
function removeWorkerFiles(diffPath: string): void {
  const lock = tryLock(diffPath);
  if (lock === undefined) return;
  try {
    const control = openControlDirectory(diffPath);
    removeFile(`${control.path}/${PID_FILE_NAME}`);
    removeFile(`${control.path}/${STAT_FILE_NAME}`);
    control.close();
    emptyTemporaryDirectory(diffPath);
  } catch (error) {
    // A worker that had not come so far has left nothing.
    if (!(error instanceof OsError) || error.errno !== host.Errno.ENOENT) throw error;
  } finally {
    lock.release();
  }
}

function tryLock(diffPath: string): DiffLock | undefined {
  try {
    return acquireDiffLock(diffPath, {
      pid: host.getPid(),
      startTime: Math.floor(Date.now() / 1000),
      diffPath,
      mountPath: "",
    });
  } catch (error) {
    if (error instanceof StateError && error.code === "locked") return undefined;
    throw error;
  }
}
