/**
 * The lock of a diff directory: flock(2) on `.pbkfs-lock`, held by the worker that has the diff
 * mounted, or shared by those who read it, as what another diff was made over.
 *
 * The kernel drops the lock with the process, however it ends. So the lock, and never the file or a
 * process id, says whether a diff is in use. The text inside only says where to look for the
 * holder: its number may be that of another PID namespace. The holder is the process whose
 * `/proc/PID/fdinfo` shows the lock.
 *
 * Where nothing can be written, readers share a lock of the directory itself: the same directory
 * may be writable at another place, such as outside of a container. So a worker holds that, too.
 *
 * @module
 */

import { basename } from "node:path";
import { isStillNamed, writeWhole } from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";
import { HostProcess, listProcesses } from "#src/io/process.ts";
import { OsError, StateError } from "#src/errors.ts";
import { sleep } from "#src/threads/waiting.ts";
import { readSmallTextFile } from "./durable_file.ts";

/** Name of the lock file in the diff directory. */
export const LOCK_FILE_NAME = ".pbkfs-lock";

const ATTEMPTS_MAX = 10;
const RETRY_PAUSE_MS = 20;

/** The worker that has a diff directory locked, as far as it is known. */
export interface LockHolder {
  /** The process that is proved to hold the lock; undefined when it cannot be seen from here. */
  readonly pid: number | undefined;
  /** Where the worker mounts; undefined when the file does not say. */
  readonly mountPath: string | undefined;
}

/** What the holder writes into the lock file. */
export interface LockRecord {
  readonly pid: number;
  /** Unix seconds. */
  readonly startTime: number;
  readonly diffPath: string;
  readonly mountPath: string;
}

/** A locked diff directory; `release()` or the end of the process frees it, or its share. */
export class DiffLock {
  readonly #path: string;
  #fd: number;
  #directoryFd: number;

  /**
   * @param path of the lock file
   * @param fd of the lock file; negative where there is none
   * @param directoryFd of the diff directory; negative where that is not locked
   */
  constructor(path: string, fd: number, directoryFd: number) {
    this.#path = path;
    this.#fd = fd;
    this.#directoryFd = directoryFd;
  }

  /** Removes the lock file and frees the lock. */
  release(): void {
    // First: who has got the file is not to wait for this.
    if (this.#directoryFd >= 0) host.close(this.#directoryFd);
    this.#directoryFd = -1;
    if (this.#fd < 0) return;
    // Removed while still held, by the last one of those who share it: another opener of the old
    // file sees that it is gone and retries. If the directory was moved away, the path may lead to
    // another diff's lock file by now.
    const isLast = host.flock(this.#fd, host.Lock.EXCLUSIVE | host.Lock.NONBLOCKING) === 0;
    if (isLast && isStillNamed(this.#fd, this.#path)) host.unlink(this.#path);
    host.close(this.#fd);
    this.#fd = -1;
  }
}

/**
 * Takes the lock of a diff directory, creating the file.
 *
 * @throws {StateError} `locked` when a live worker holds it, or somebody reads the diff
 * @throws {OsError}
 */
export function acquireDiffLock(diffPath: string, record: LockRecord): DiffLock {
  const path = `${diffPath}/${LOCK_FILE_NAME}`;
  const fd = lockFile(diffPath, host.Lock.EXCLUSIVE);
  const directoryFd = lockDirectory(diffPath, host.Lock.EXCLUSIVE);
  const lock = new DiffLock(path, fd, directoryFd);
  try {
    if (directoryFd === -host.Errno.EAGAIN) {
      // First, or this would be found as the holder.
      lock.release();
      throw diffLockedError(diffPath);
    }
    host.unwrap(directoryFd, "lock", diffPath);
    host.unwrap(host.ftruncate(fd, 0), "truncate", path);
    writeWhole(fd, new TextEncoder().encode(formatLockRecord(record)), path);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Takes a share of the lock: nobody mounts the diff as long as any is held.
 *
 * @throws {StateError} `locked` when a live worker has it mounted
 * @throws {OsError}
 */
export function acquireDiffReadLock(diffPath: string): DiffLock {
  const path = `${diffPath}/${LOCK_FILE_NAME}`;
  try {
    return new DiffLock(path, lockFile(diffPath, host.Lock.SHARED), -1);
  } catch (error) {
    if (!(error instanceof OsError) || error.errno !== host.Errno.EROFS) throw error;
    const directoryFd = lockDirectory(diffPath, host.Lock.SHARED);
    if (directoryFd === -host.Errno.EAGAIN) throw diffLockedError(diffPath);
    return new DiffLock(path, -1, host.unwrap(directoryFd, "lock", diffPath));
  }
}

/** @returns the descriptor that holds the lock, or a negative errno: EAGAIN when others have it */
function lockDirectory(diffPath: string, kind: number): number {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.open(diffPath, RDONLY | DIRECTORY);
  const result = fd < 0 ? fd : host.flock(fd, kind | host.Lock.NONBLOCKING);
  if (result === 0) return fd;
  if (fd >= 0) host.close(fd);
  return result;
}

/** @returns the descriptor that holds the lock */
function lockFile(diffPath: string, kind: number): number {
  const path = `${diffPath}/${LOCK_FILE_NAME}`;
  const { RDWR, CREAT, NOFOLLOW } = host.OpenFlag;
  for (let attempt = 1;; attempt++) {
    const fd = host.unwrap(host.open(path, RDWR | CREAT | NOFOLLOW, 0o600), "open", path);
    const result = host.flock(fd, kind | host.Lock.NONBLOCKING);
    if (result === 0 && isStillNamed(fd, path)) return fd;
    host.close(fd);
    if (result !== 0 && result !== -host.Errno.EAGAIN) host.unwrap(result, "lock", path);
    // A probe of another command holds the lock for a moment; only a worker or reader keeps it.
    if (attempt >= ATTEMPTS_MAX) throw diffLockedError(diffPath);
    sleep(RETRY_PAUSE_MS);
  }
}

/** The error for a diff directory that somebody has mounted, or reads. */
export function diffLockedError(diffPath: string): DiffLockedError {
  const holder = findLockHolder(diffPath);
  const readers = holder === undefined ? findLockReaders(diffPath) : [];
  if (readers.length === 0) return new DiffLockedError(diffPath, holder);
  const which = readers.length === 1 ? "process" : "processes";
  const message = `diff directory is being read by ${which} ${readers.join(", ")}`;
  return new DiffLockedError(diffPath, undefined, message, {
    hint: "Unmount what was made over it first, or wait until it was read",
  });
}

/** Processes that have a share of a diff directory's lock, as far as they are seen from here. */
export function findLockReaders(diffPath: string): number[] {
  const stat = new host.HostStat();
  const locked = [`${diffPath}/${LOCK_FILE_NAME}`, diffPath].flatMap((path) =>
    host.lstat(path, stat) === 0 ? { name: basename(path), ino: stat.ino } : []
  );
  return listProcesses().filter((pid) => locked.some((each) => holdsLock(pid, each, "READ")));
}

/**
 * The live holder of a diff directory's lock, or undefined when it is free. @throws {OsError}
 */
export function findLockHolder(diffPath: string): LockHolder | undefined {
  const path = `${diffPath}/${LOCK_FILE_NAME}`;
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW | host.OpenFlag.NONBLOCK;
  const fd = host.open(path, flags);
  if (fd === -host.Errno.ENOENT || fd === -host.Errno.ENOTDIR) return undefined;
  host.unwrap(fd, "open", path);
  try {
    const result = host.flock(fd, host.Lock.SHARED | host.Lock.NONBLOCKING);
    if (result === 0) return undefined;
    if (result !== -host.Errno.EAGAIN) host.unwrap(result, "lock", path);
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    const { pid, mountPath } = parseLockRecord(readSmallTextFile(path) ?? "");
    return { pid: findHoldingProcess(stat.ino, pid), mountPath };
  } finally {
    host.close(fd);
  }
}

/** @param likely the number that the holder has written down */
function findHoldingProcess(lockIno: number, likely: number | undefined): number | undefined {
  const locked = { name: LOCK_FILE_NAME, ino: lockIno };
  if (likely !== undefined && holdsLock(likely, locked, "WRITE")) return likely;
  return listProcesses().find((pid) => holdsLock(pid, locked, "WRITE"));
}

/**
 * Whether an open file of a process, of that name and inode number, has the exclusive (WRITE) lock,
 * or a share of it (READ).
 */
function holdsLock(
  pid: number,
  locked: { readonly name: string; readonly ino: number },
  kind: "READ" | "WRITE",
): boolean {
  using process = HostProcess.open(pid);
  return process?.descriptors().some(({ fd, target }) => {
    if (!target.endsWith(`/${locked.name}`)) return false;
    const [, held, ino] = HELD_LOCK.exec(process.descriptorInfo(fd) ?? "") ?? [];
    return held === kind && Number(ino) === locked.ino;
  }) ?? false;
}

/** Line of fdinfo (proc(5)): kind of lock, process, then device and inode number. */
const HELD_LOCK =
  /^lock:\s+\d+: FLOCK\s+ADVISORY\s+(READ|WRITE)\s+\S+\s+[\da-f]+:[\da-f]+:(\d+)\s/mu;

/** Name of the holder for a message: `process 123`, or what is known. */
export function describeHolder(holder: LockHolder | undefined): string {
  return holder?.pid === undefined
    ? "a process that cannot be seen from here"
    : `process ${holder.pid}`;
}

/** The diff directory is in use: `code` is `locked`. */
export class DiffLockedError extends StateError {
  readonly diffPath: string;
  /** Where it is mounted; undefined when its holder does not say. */
  readonly mountPath?: string;

  /** @param remedyOf instead of unmounting it first */
  constructor(
    diffPath: string,
    holder: LockHolder | undefined,
    message = `diff directory already in use by ${describeHolder(holder)}`,
    remedyOf: { readonly hint: string; readonly option?: string } = { hint: "Unmount it first" },
  ) {
    super("locked", `${message} ("${diffPath}")`, remedyOf);
    this.diffPath = diffPath;
    if (holder?.mountPath !== undefined) this.mountPath = holder.mountPath;
  }
}

function formatLockRecord(record: LockRecord): string {
  return JSON.stringify(
    {
      pid: record.pid,
      start_time: record.startTime,
      diff_dir: record.diffPath,
      mount_path: record.mountPath,
    },
    null,
    2,
  ) + "\n";
}

function parseLockRecord(text: string): Pick<LockHolder, "pid" | "mountPath"> {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const pid = value?.["pid"];
  const mountPath = value?.["mount_path"];
  return {
    pid: Number.isSafeInteger(pid) && (pid as number) > 1 ? pid as number : undefined,
    mountPath: typeof mountPath === "string" ? mountPath : undefined,
  };
}
