/**
 * Directories, links and special files of a restore, which one thread makes; and what is removed
 * where files were there before.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { FileType, type Node } from "#src/tree/node.ts";

const { Errno } = host;

/** Nobody else may look at a directory before its owner and mode are restored. */
const NEW_DIRECTORY_MODE = 0o700;

/** Directory of a data directory that may be a link to a faster disk. */
const WAL_DIRECTORY = "pg_wal";

/**
 * Makes a directory, or takes the one that is there.
 *
 * @param isReplacing remove what else is there
 * @throws {OsError}
 */
export function takeDirectory(path: string, isReplacing: boolean): void {
  const made = host.mkdir(path, NEW_DIRECTORY_MODE);
  if (made >= 0) return;
  if (made !== -Errno.EEXIST) host.unwrap(made, "make directory", path);
  const kind = hostFiles.status(path, false)?.kind;
  if (kind === "directory" || (kind === "symlink" && isLinkedWal(path))) return;
  if (isReplacing) {
    host.unwrap(host.unlink(path), "remove", path);
    return takeDirectory(path, false);
  }
  host.unwrap(made, "make directory", path);
}

function isLinkedWal(path: string): boolean {
  return path.endsWith(`/${WAL_DIRECTORY}`) && hostFiles.status(path)?.kind === "directory";
}

/** Makes a symbolic link; what is there of that name goes. @throws {OsError} */
export function makeLink(path: string, target: string): void {
  removeAll(path);
  host.unwrap(host.symlink(target, path), "create link", path);
}

/** Makes a device, FIFO or socket; what is there of that name goes. @throws {OsError} */
export function makeSpecial(path: string, node: Node): void {
  removeAll(path);
  const type = node.attributes.mode & FileType.MASK;
  const result = host.mknodAt(host.At.FDCWD, path, type | 0o600, node.attributes.rdev);
  host.unwrap(result, "create", path);
}

/** Makes a further name of a file; what is there of that name goes. @throws {OsError} */
export function makeHardLink(path: string, targetPath: string): void {
  removeAll(path);
  const { FDCWD } = host.At;
  host.unwrap(host.linkAt(FDCWD, targetPath, FDCWD, path), "create hard link", path);
}

/** Removes whatever has a name; links are not followed. @throws {OsError} */
export function removeAll(path: string): void {
  const removed = host.unlink(path);
  if (removed >= 0 || removed === -Errno.ENOENT) return;
  if (removed !== -Errno.EISDIR && removed !== -Errno.EPERM) {
    host.unwrap(removed, "remove", path);
  }
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack = [path];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const directories = [];
    for (const { name, kind } of hostFiles.entries(top)) {
      if (kind === "directory") directories.push(`${top}/${name}`);
      else host.unwrap(host.unlink(`${top}/${name}`), "remove", `${top}/${name}`);
    }
    if (directories.length > 0) stack.push(...directories);
    else host.unwrap(host.rmdir(stack.pop()!), "remove", top);
  }
}

/** Removes all entries of a directory but these. @returns how many @throws {OsError} */
export function removeOthers(path: string, keep: (name: string) => boolean): number {
  let count = 0;
  for (const { name } of hostFiles.entries(path)) {
    if (keep(name)) continue;
    removeAll(`${path}/${name}`);
    count += 1;
  }
  return count;
}
