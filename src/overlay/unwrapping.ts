/**
 * Unwrapping: a partial file that has all of its blocks becomes a plain file.
 *
 * Its header and maps are at its start, so its bytes have to come to offset 0. Where the file
 * system can cut a range out of a file that happens in place (`collapsing.ts`), in the time of one
 * change of metadata; else a plain file is made beside it (`plain_copy.ts`), which shares the
 * disk's blocks where it can, and takes its name.
 *
 * Whoever unwraps sees to it that nobody has the file open or changes it meanwhile.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { collapseAll, isCollapsible } from "./collapsing.ts";
import type { CompleteFile } from "./complete_file.ts";
import type { HostPlace } from "./partial_probe.ts";
import { writePlainCopy } from "./plain_copy.ts";

/**
 * Makes a complete file of the diff a plain one, durably. Nothing has to be done about a kill or
 * power cut meanwhile but `finishCollapsing()` before the diff is used again.
 *
 * @param fd the file, open for writing
 * @param place its name
 * @param temporary a name in the diff's `tmp` directory that is not in use
 * @returns whether it was done: a file with several names that cannot be changed in place stays as
 *   it is. The file at the place may be another one now
 * @throws {OsError}
 */
export function unwrapFile(
  diffPath: string,
  fd: number,
  file: CompleteFile,
  place: HostPlace,
  temporary: HostPlace,
): boolean {
  if (isCollapsible(fd, file) && collapseAll(diffPath, [{ fd, file }]).length === 0) return true;
  if (file.stat.nlink > 1) return false;
  const copy = writePlainCopy(fd, file, temporary);
  const synced = host.fsync(copy);
  host.close(copy);
  const renamed = synced < 0
    ? synced
    : host.renameAt(temporary.fd, temporary.name, place.fd, place.name);
  if (renamed < 0) host.unlinkAt(temporary.fd, temporary.name);
  host.unwrap(renamed, "unwrap", place.name);
  host.unwrap(host.fsync(place.fd), "sync", place.name);
  return true;
}
