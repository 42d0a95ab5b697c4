/**
 * Small files of our own in a diff directory: read without following links, replaced atomically and durably.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import { LimitError, StateError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";

/** Files of ours are far below this; a longer one is not ours. */
const SMALL_FILE_SIZE_MAX = 1 << 20;

/**
 * Reads a regular file of ours as text.
 *
 * @returns undefined when there is no such file
 * @throws {StateError} when the name is not a regular file (links are not followed)
 * @throws {LimitError} when it is longer than 1 MiB
 * @throws {OsError} when it cannot be read
 */
export function readSmallTextFile(path: string): string | undefined {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW | host.OpenFlag.NONBLOCK;
  const fd = host.open(path, flags);
  if (fd === -host.Errno.ENOENT) return undefined;
  if (fd === -host.Errno.ELOOP) throw notRegular(path);
  host.unwrap(fd, "open", path);
  try {
    return readDescriptor(fd, path);
  } finally {
    host.close(fd);
  }
}

function readDescriptor(fd: number, path: string): string {
  const stat = new host.HostStat();
  host.unwrap(host.statFd(fd, stat), "stat", path);
  if ((stat.mode & FileType.MASK) !== FileType.FILE) throw notRegular(path);
  if (stat.size > SMALL_FILE_SIZE_MAX) {
    throw new LimitError(
      `Cannot read "${path}": ${stat.size} bytes are more than the limit ${SMALL_FILE_SIZE_MAX}`,
    );
  }
  if (stat.size === 0) return "";
  const buffer = host.allocateNativeBuffer(stat.size);
  const count = host.unwrap(host.preadFully(fd, buffer.address, stat.size, 0), "read", path);
  return new TextDecoder().decode(buffer.bytes.subarray(0, count));
}

function notRegular(path: string): StateError {
  return new StateError("foreign-diff", `Cannot use "${path}": it is not a regular file`, {
    hint: "Give another diff directory",
    option: "diffPath",
  });
}

/**
 * Replaces `directory/name` by `text` so that after a crash there is the old or the new content, whole.
 * On return the new content is durable unless `durable` is false. For root the file gets the `owner`.
 *
 * @throws {OsError}
 */
export function replaceTextFile(
  directory: string,
  name: string,
  text: string,
  options: {
    mode: number;
    durable: boolean;
    owner?: { readonly uid: number; readonly gid: number };
  },
): void {
  const path = `${directory}/${name}`;
  const temporary = `${path}.new`;
  host.unlinkAt(host.At.FDCWD, temporary);
  const flags = host.OpenFlag.WRONLY | host.OpenFlag.CREAT | host.OpenFlag.EXCL |
    host.OpenFlag.NOFOLLOW;
  const fd = host.unwrap(host.open(temporary, flags, options.mode), "create", temporary);
  try {
    writeText(fd, text, temporary);
    if (options.owner !== undefined && host.getEffectiveUid() === 0) {
      const { uid, gid } = options.owner;
      host.unwrap(host.chownAt(fd, "", uid, gid), "chown", temporary);
    }
    if (options.durable) host.unwrap(host.fsync(fd), "fsync", temporary);
  } catch (error) {
    host.unlinkAt(host.At.FDCWD, temporary);
    throw error;
  } finally {
    host.close(fd);
  }
  host.unwrap(
    host.renameAt(host.At.FDCWD, temporary, host.At.FDCWD, path, 0),
    "rename",
    temporary,
  );
  if (options.durable) syncDirectory(directory);
}

/** Makes the names in a directory durable. @throws {OsError} */
export function syncDirectory(path: string): void {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY;
  const fd = host.unwrap(host.open(path, flags), "open", path);
  const result = host.fsync(fd);
  host.close(fd);
  host.unwrap(result, "fsync", path);
}

/** Writes `text` at the start of an open file. @throws {OsError} */
export function writeText(fd: number, text: string, path: string): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length === 0) return;
  const buffer = host.nativeBufferOf(bytes);
  host.unwrap(host.pwriteFully(fd, buffer.address, bytes.length, 0), "write", path);
}

/** Removes a file. @returns whether it was there @throws {OsError} */
export function removeFile(path: string): boolean {
  const result = host.unlinkAt(host.At.FDCWD, path);
  if (result === -host.Errno.ENOENT) return false;
  host.unwrap(result, "remove", path);
  return true;
}
