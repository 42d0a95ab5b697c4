/**
 * Files that are read, written and replaced as a whole, and what makes their names durable; by
 * system calls. Needs FFI.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { LimitError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";

/** How {@link writeNewFile} makes a file. */
export interface NewFileOptions {
  /** Permissions, before the umask is applied unless {@link isModeExact}. */
  readonly mode: number;
  /** Whether the umask is not applied. Default: false. */
  readonly isModeExact?: boolean;
  /** To whom the file is given; left out: to nobody. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether the content is on stable storage at the end. */
  readonly isDurable: boolean;
}

/**
 * Reads a regular file of at most `sizeMax` bytes.
 *
 * @param followsLink whether a symbolic link as last component is followed
 * @throws {OsError} when it is not there, or not readable; ELOOP for a link that is not followed,
 *   EINVAL when it is not a regular file
 * @throws {LimitError} when it is larger
 */
export function readWholeFile(
  path: string,
  sizeMax: number,
  followsLink = true,
): Uint8Array<ArrayBuffer> {
  // O_NONBLOCK: opening a FIFO must not wait for its other end; it has no effect on regular files.
  const { RDONLY, NONBLOCK, NOCTTY, NOFOLLOW } = host.OpenFlag;
  const flags = RDONLY | NONBLOCK | NOCTTY | (followsLink ? 0 : NOFOLLOW);
  const fd = host.unwrap(host.open(path, flags), "open", path);
  try {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    checkReadable(path, entryType(stat.mode) === EntryType.FILE, stat.size, sizeMax);
    const buffer = host.allocateNativeBuffer(stat.size);
    if (stat.size === 0) return buffer.bytes;
    const read = host.preadFully(fd, buffer.address, stat.size, 0);
    const count = host.unwrap(read, "read", path);
    return count === stat.size ? buffer.bytes : buffer.bytes.slice(0, count);
  } finally {
    host.close(fd);
  }
}

/** Checks what is to be read as a whole. @throws {OsError} EINVAL @throws {LimitError} */
export function checkReadable(path: string, isFile: boolean, size: number, sizeMax: number): void {
  if (!isFile) throw new host.OsError(host.Errno.EINVAL, "read (not a regular file)", path);
  if (size <= sizeMax) return;
  throw new LimitError(`Cannot read "${path}": ${size} bytes are more than ${sizeMax}`);
}

/**
 * Makes a file; what is there of that name is removed before. Nothing is left when that fails.
 * @throws {OsError}
 */
export function writeNewFile(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  options: NewFileOptions,
): void {
  const { mode, isModeExact = false, owner, isDurable } = options;
  host.unlink(path);
  const { WRONLY, CREAT, EXCL, NOFOLLOW } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, WRONLY | CREAT | EXCL | NOFOLLOW, mode), "create", path);
  try {
    writeWhole(fd, bytes, path);
    if (isModeExact) host.unwrap(host.fchmod(fd, mode), "chmod", path);
    if (owner !== undefined) {
      host.unwrap(host.chownAt(fd, "", owner.uid, owner.gid), "chown", path);
    }
    if (isDurable) host.unwrap(host.fsync(fd), "sync", path);
  } catch (error) {
    host.unlink(path);
    throw error;
  } finally {
    host.close(fd);
  }
}

/** Writes bytes at the start of an open file. @throws {OsError} */
export function writeWhole(fd: number, bytes: Uint8Array<ArrayBuffer>, path: string): void {
  if (bytes.length === 0) return;
  const { address } = host.nativeBufferOf(bytes);
  const count = host.unwrap(host.pwriteFully(fd, address, bytes.length, 0), "write", path);
  if (count < bytes.length) throw new host.OsError(host.Errno.ENOSPC, "write", path);
}

/**
 * Replaces the file at `path`, by a file at `temporaryPath` in the same directory: after a crash
 * there is the old or the new content, whole.
 *
 * @throws {OsError}
 */
export function replaceFile(
  path: string,
  temporaryPath: string,
  bytes: Uint8Array<ArrayBuffer>,
  options: NewFileOptions,
): void {
  writeNewFile(temporaryPath, bytes, options);
  renameFile(temporaryPath, path, options.isDurable);
}

/** Gives a complete file its name; where that fails the file is removed. @throws {OsError} */
export function renameFile(temporaryPath: string, path: string, isDurable: boolean): void {
  const result = host.rename(temporaryPath, path);
  if (result < 0) host.unlink(temporaryPath);
  host.unwrap(result, "rename", path);
  if (isDurable) syncDirectory(directoryOf(path));
}

/** A name in the same directory that nothing else has, for what is to get another one's name. */
export function temporaryPathFor(path: string): string {
  return `${path.slice(0, path.lastIndexOf("/") + 1)}.${crypto.randomUUID()}`;
}

/** The directory that a path is in, as a path. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1) || ".";
}

/** Makes the names in a directory durable. @throws {OsError} */
export function syncDirectory(path: string): void {
  host.unwrap(withDirectory(path, host.fsync), "sync", path);
}

/**
 * Makes everything durable that was written to the file system of the directory at `path`. @throws
 * {OsError}
 */
export function syncFileSystem(path: string): void {
  host.unwrap(withDirectory(path, host.syncfs), "sync", path);
}

/** Does something with an open directory. @throws {OsError} when it cannot be opened */
export function withDirectory<Result>(
  path: string,
  use: (fd: number) => Result,
  call = "open",
): Result {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, RDONLY | DIRECTORY), call, path);
  try {
    return use(fd);
  } finally {
    host.close(fd);
  }
}

/** Removes a file. @returns whether it was there @throws {OsError} */
export function removeFile(path: string): boolean {
  const result = host.unlink(path);
  if (result === -host.Errno.ENOENT) return false;
  host.unwrap(result, "remove", path);
  return true;
}

/**
 * Whether an open file still has the name it was opened by: a lock file may have been removed, or
 * replaced, between opening and locking.
 */
export function isStillNamed(fd: number, path: string): boolean {
  const opened = new host.HostStat();
  const named = new host.HostStat();
  return host.statFd(fd, opened) === 0 && host.lstat(path, named) === 0 &&
    opened.ino === named.ino && opened.device === named.device;
}
