/**
 * Whole files that are small by nature (control files, lists), and directories. Works without FFI.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import { Errno, OsError } from "#ffi/os_error.ts";
import { translating } from "./fs_file_source.ts";

/**
 * Reads a regular file of at most `sizeMax` bytes.
 *
 * @throws {OsError} when it is not there, not readable or not a regular file
 * @throws {LimitError} when it is larger
 */
export function readSmallFile(path: string, sizeMax: number): Uint8Array<ArrayBuffer> {
  const stat = translating("stat", path, () => Deno.statSync(path));
  if (!stat.isFile) throw new OsError(Errno.EINVAL, "read (not a regular file)", path);
  if (stat.size > sizeMax) {
    throw new LimitError(`Cannot read "${path}": ${stat.size} bytes are more than ${sizeMax}`);
  }
  return translating("read", path, () => Deno.readFileSync(path));
}

/**
 * Names of the directories in a directory, sorted. Links to directories count, and links of which that cannot be told.
 *
 * @throws {OsError} when it cannot be listed
 */
export function listDirectories(path: string): string[] {
  const entries = translating("list", path, () => [...Deno.readDirSync(path)]);
  return entries
    .filter((entry) =>
      entry.isDirectory || (entry.isSymlink && mayBeDirectory(`${path}/${entry.name}`))
    )
    .map((entry) => entry.name)
    .sort();
}

/** Errors of stat(2) that say that there is no such directory, rather than that one may not look. */
const NO_DIRECTORY_CODES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

/**
 * Whether `path` is a directory or a link to one.
 *
 * @throws {OsError} when that cannot be told
 */
export function isDirectory(path: string): boolean {
  try {
    return translating("look at", path, () => Deno.statSync(path)).isDirectory;
  } catch (error) {
    if (error instanceof OsError && NO_DIRECTORY_CODES.has(error.code)) return false;
    throw error;
  }
}

function mayBeDirectory(path: string): boolean {
  try {
    return isDirectory(path);
  } catch (error) {
    if (error instanceof OsError) return true;
    throw error;
  }
}

/** Owner of a file or directory. */
export function ownerOf(path: string): { uid: number; gid: number } {
  const stat = translating("stat", path, () => Deno.statSync(path));
  return { uid: stat.uid ?? 0, gid: stat.gid ?? 0 };
}
