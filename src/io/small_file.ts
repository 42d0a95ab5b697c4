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
 * Names of the directories in a directory, sorted; links to directories count.
 *
 * @throws {OsError} when it cannot be listed
 */
export function listDirectories(path: string): string[] {
  const entries = translating("list", path, () => [...Deno.readDirSync(path)]);
  return entries
    .filter((entry) =>
      entry.isDirectory || (entry.isSymlink && isDirectory(`${path}/${entry.name}`))
    )
    .map((entry) => entry.name)
    .sort();
}

/** Whether `path` is a directory or a link to one. */
export function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/** Owner of a file or directory. */
export function ownerOf(path: string): { uid: number; gid: number } {
  const stat = translating("stat", path, () => Deno.statSync(path));
  return { uid: stat.uid ?? 0, gid: stat.gid ?? 0 };
}
