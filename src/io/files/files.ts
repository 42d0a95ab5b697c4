/**
 * The door to files by their paths. By system calls or by the runtime's own calls: that is decided
 * here, once.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { mayUseFfi } from "../ffi_permission.ts";
import type { Files } from "./file_access.ts";
import { nativeFiles } from "./native_files.ts";
import { plainFiles } from "./plain_files.ts";

export type { FileEntry, FileKind, FileStatus } from "./file_access.ts";

/** Files of the host. */
export const hostFiles: Files = mayUseFfi ? nativeFiles : plainFiles;

/**
 * Whether `path` is a directory or a link to one. @throws {OsError} when that cannot be found out
 */
export function isDirectory(path: string): boolean {
  return hostFiles.status(path)?.kind === "directory";
}

/**
 * Names of the directories in a directory, sorted. Links to directories count, and links of which
 * that cannot be told.
 *
 * @throws {OsError} when it cannot be listed
 */
export function listDirectories(path: string): string[] {
  return hostFiles.entries(path)
    .filter(({ name, kind }) =>
      kind === "directory" || (kind === "symlink" && mayBeDirectory(`${path}/${name}`))
    )
    .map(({ name }) => name)
    .sort();
}

/**
 * What a symbolic link at `path` leads to, if there is one; else the path as it is. @throws
 * {OsError}
 */
export function directoryBehind(path: string): string {
  return hostFiles.status(path, false)?.kind === "symlink" ? hostFiles.realPath(path) : path;
}

/** Whether an error says that there is nothing of that name. */
export function isMissing(error: unknown): boolean {
  return error instanceof OsError && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function mayBeDirectory(path: string): boolean {
  try {
    return isDirectory(path);
  } catch (error) {
    if (error instanceof OsError) return true;
    throw error;
  }
}

/** Owner of a file or directory. @throws {OsError} */
export function ownerOf(path: string): { uid: number; gid: number } {
  const status = hostFiles.status(path);
  if (status === undefined) throw new OsError(Errno.ENOENT, "stat", path);
  return { uid: status.uid, gid: status.gid };
}
