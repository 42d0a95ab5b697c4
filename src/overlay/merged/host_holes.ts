/**
 * Holes of files of a diff, as its file system knows them.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";

/**
 * Where data, or a hole, begins from `offset` on in a file of the host, in bytes.
 *
 * @returns an offset up to `end`; `offset` for data where nothing is known
 * @throws {OsError} when the file cannot be opened
 */
export function seekHostFile(
  path: string,
  offset: number,
  end: number,
  isHoleWanted: boolean,
): number {
  const { RDONLY, NOFOLLOW, NONBLOCK } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, RDONLY | NOFOLLOW | NONBLOCK), "open", path);
  const { DATA, HOLE } = host.Seek;
  const found = host.lseek(fd, offset, isHoleWanted ? HOLE : DATA);
  host.close(fd);
  // No data follows.
  if (found === -host.Errno.ENXIO) return end;
  if (found < 0) return isHoleWanted ? end : offset;
  return Math.min(found, end);
}
