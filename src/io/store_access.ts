/**
 * Reading files and directories: by system calls where FFI is allowed, else by the runtime's own calls, which refuse some
 * places (`/dev/shm` among them) whatever they are permitted.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { LimitError } from "#src/errors.ts";
import { mayUseFfi } from "./ffi_permission.ts";
import { translating } from "./fs_file_source.ts";
import * as host from "./host.ts";
import { listOpenDirectory } from "./host_listing.ts";

/** Kinds of files, as far as they matter. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** What is known of a file. */
export interface FileStatus {
  readonly kind: FileKind;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
}

/** An entry of a directory; a symbolic link is not followed. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

const KIND_BY_TYPE: Readonly<Record<number, FileKind>> = {
  [EntryType.DIRECTORY]: "directory",
  [EntryType.FILE]: "file",
  [EntryType.SYMLINK]: "symlink",
};

/**
 * What a path means; a symbolic link is followed unless told otherwise.
 *
 * @returns undefined when there is nothing
 * @throws {OsError}
 */
export function statusOf(path: string, followsLink = true): FileStatus | undefined {
  try {
    return mayUseFfi() ? hostStatus(path, followsLink) : builtInStatus(path, followsLink);
  } catch (error) {
    if (isMissing(error) || isLoop(error)) return undefined;
    throw error;
  }
}

/** Whether `path` is a directory or a link to one. @throws {OsError} when that cannot be found out */
export function isDirectoryAt(path: string): boolean {
  return statusOf(path)?.kind === "directory";
}

/**
 * Entries of a directory, in no order.
 *
 * @throws {OsError} when it cannot be listed
 */
export function entriesOf(path: string): DirectoryEntry[] {
  if (!mayUseFfi()) {
    return translating("list", path, () => [...Deno.readDirSync(path)]).map((entry) => ({
      name: entry.name,
      kind: kindOf(entry),
    }));
  }
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, RDONLY | DIRECTORY), "list", path);
  try {
    return listOpenDirectory(fd, path).map(({ name, type }) => ({
      name,
      kind: type === EntryType.UNKNOWN
        ? statusOf(`${path}/${name}`, false)?.kind ?? "other"
        : KIND_BY_TYPE[type] ?? "other",
    }));
  } finally {
    host.close(fd);
  }
}

/**
 * Reads a regular file of at most `sizeMax` bytes.
 *
 * @throws {OsError} when it is not there, not readable or not a regular file
 * @throws {LimitError} when it is larger
 */
export function readFile(path: string, sizeMax: number): Uint8Array<ArrayBuffer> {
  return mayUseFfi() ? hostRead(path, sizeMax) : builtInRead(path, sizeMax);
}

/** The directory's path without links in it. @throws {OsError} */
export function realDirectory(path: string): string {
  if (!mayUseFfi()) return translating("open", path, () => Deno.realPathSync(path));
  const { PATH, DIRECTORY } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, PATH | DIRECTORY), "open", path);
  const target = host.readlinkAt(host.At.FDCWD, `/proc/self/fd/${fd}`);
  host.close(fd);
  if (typeof target === "number") throw new host.OsError(-target, "resolve", path);
  return decodeFileName(target);
}

/** What a symbolic link at `path` leads to, if there is one and that is a directory; else the path as it is. @throws {OsError} */
export function directoryBehind(path: string): string {
  return statusOf(path, false)?.kind === "symlink" ? realDirectory(path) : path;
}

function hostStatus(path: string, followsLink: boolean): FileStatus {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(host.At.FDCWD, path, stat, followsLink), "stat", path);
  const { size, uid, gid } = stat;
  return { kind: KIND_BY_TYPE[entryType(stat.mode)] ?? "other", size, uid, gid };
}

function builtInStatus(path: string, followsLink: boolean): FileStatus {
  const info = translating("stat", path, () => {
    return followsLink ? Deno.statSync(path) : Deno.lstatSync(path);
  });
  return { kind: kindOf(info), size: info.size, uid: info.uid ?? 0, gid: info.gid ?? 0 };
}

function hostRead(path: string, sizeMax: number): Uint8Array<ArrayBuffer> {
  const { RDONLY, NONBLOCK, NOCTTY } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, RDONLY | NONBLOCK | NOCTTY), "open", path);
  try {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    checkReadable(path, KIND_BY_TYPE[entryType(stat.mode)] ?? "other", stat.size, sizeMax);
    const buffer = host.allocateNativeBuffer(stat.size);
    if (stat.size === 0) return buffer.bytes;
    const read = host.preadFully(fd, buffer.address, stat.size, 0);
    const count = host.unwrap(read, "read", path);
    return count === stat.size ? buffer.bytes : buffer.bytes.slice(0, count);
  } finally {
    host.close(fd);
  }
}

function builtInRead(path: string, sizeMax: number): Uint8Array<ArrayBuffer> {
  const { kind, size } = builtInStatus(path, true);
  checkReadable(path, kind, size, sizeMax);
  return translating("read", path, () => Deno.readFileSync(path));
}

function checkReadable(path: string, kind: FileKind, size: number, sizeMax: number): void {
  if (kind !== "file") {
    throw new host.OsError(host.Errno.EINVAL, "read (not a regular file)", path);
  }
  if (size <= sizeMax) return;
  throw new LimitError(`Cannot read "${path}": ${size} bytes are more than ${sizeMax}`);
}

function kindOf(
  info: { readonly isFile: boolean; readonly isDirectory: boolean; readonly isSymlink: boolean },
): FileKind {
  if (info.isFile) return "file";
  if (info.isDirectory) return "directory";
  return info.isSymlink ? "symlink" : "other";
}

/** Whether an error says that there is nothing of that name. */
export function isMissing(error: unknown): boolean {
  return error instanceof host.OsError &&
    (error.errno === host.Errno.ENOENT || error.errno === host.Errno.ENOTDIR);
}

/** A symbolic link that leads back to itself. */
function isLoop(error: unknown): boolean {
  return error instanceof host.OsError && error.errno === host.Errno.ELOOP;
}
