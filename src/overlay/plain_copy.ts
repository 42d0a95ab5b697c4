/**
 * A plain file beside a complete partial one. It shares the blocks on the disk where the file
 * system can do that, and keeps holes where it cannot.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { cloneFrom } from "#ffi/libc/extents.ts";
import type { CompleteFile } from "./complete_file.ts";
import { copyXattrs, setOwnerAndMode, setTimes } from "./host_attributes.ts";
import type { HostPlace } from "./partial_probe.ts";

const { Errno, OpenFlag, Seek } = host;

/**
 * Makes the copy, with owner, mode, times and extended attributes; its bytes are not synced. On
 * failure nothing is left.
 *
 * @param fd of the partial file, open for reading
 * @param place a name that is not in use
 * @returns the copy's descriptor
 * @throws {OsError}
 */
export function writePlainCopy(fd: number, file: CompleteFile, place: HostPlace): number {
  const flags = OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
  const copy = host.unwrap(host.openAt(place.fd, place.name, flags, 0o600), "create", place.name);
  try {
    const { dataOffset, stat } = file;
    if (stat.size > dataOffset && cloneFrom(copy, fd, dataOffset) < 0) {
      host.unwrap(copyData(fd, dataOffset, stat.size, copy), "copy", place.name);
    }
    setOwnerAndMode(copy, stat);
    copyXattrs(fd, copy);
    setTimes(copy, stat);
    return copy;
  } catch (error) {
    host.close(copy);
    host.unlinkAt(place.fd, place.name);
    throw error;
  }
}

function copyData(fd: number, start: number, end: number, copy: number): number {
  for (let position = start; position < end;) {
    const data = host.lseek(fd, position, Seek.DATA);
    if (data === -Errno.ENXIO) break;
    if (data < 0) return data;
    const hole = host.lseek(fd, data, Seek.HOLE);
    if (hole < 0) return hole;
    for (position = data; position < hole;) {
      const count = host.copyFileRange(fd, position, copy, position - start, hole - position);
      if (count < 0) return count;
      if (count === 0) return -Errno.EIO;
      position += count;
    }
  }
  return host.ftruncate(copy, end - start);
}
