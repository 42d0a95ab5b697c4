/**
 * What is in a directory of the host.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { Errno } from "#src/errors.ts";

/** One entry. */
export interface ListedEntry {
  /** As in `src/bytes/file_name.ts`. */
  readonly name: string;
  /** An `EntryType` of `src/bytes/file_type.ts`. */
  readonly type: number;
}

const BUFFER_SIZE = 64 << 10;
/** Offsets in `struct linux_dirent64`. */
const RECORD_LENGTH = 16;
const TYPE = 18;
const NAME = 19;

const bytes = new Uint8Array(BUFFER_SIZE);
const fields = new DataView(bytes.buffer);

/**
 * All entries of an open directory but `.` and `..`, in the order of the file system. The
 * descriptor's position must be at the start. A directory that was removed since it was opened has
 * none.
 *
 * @throws {OsError}
 */
export function listOpenDirectory(fd: number, path: string): ListedEntry[] {
  const entries: ListedEntry[] = [];
  while (true) {
    const result = host.getdents(fd, bytes);
    // So the kernel says that nobody can find the directory any more.
    if (result === -Errno.ENOENT) return entries;
    const size = host.unwrap(result, "list", path);
    if (size === 0) return entries;
    for (let offset = 0; offset < size;) {
      const start = offset + NAME;
      const name = decodeFileName(bytes.subarray(start, bytes.indexOf(0, start)));
      if (name !== "." && name !== "..") entries.push({ name, type: bytes[offset + TYPE]! });
      offset += fields.getUint16(offset + RECORD_LENGTH, true);
    }
  }
}
