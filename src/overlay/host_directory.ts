/**
 * Directories of the host: listing and removing.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";

const { OpenFlag } = host;

/** Deepest tree that is removed: far more than path lengths allow. */
const DEPTH_MAX = 4096;
const BUFFER_SIZE = 64 << 10;

/** One entry of a host directory. `type` is an {@link EntryType}. */
export interface HostEntry {
  readonly name: string;
  readonly ino: number;
  readonly type: number;
}

/**
 * All entries of an open directory without `.` and `..`. The descriptor's position is used: one
 * reader at a time, so the caller opens the directory anew or holds the namespace lock.
 *
 * @param isRead on behalf of a program that reads the directory: it counts as its last access
 * @throws {OsError}
 */
export function readHostDirectory(fd: number, isRead = false): HostEntry[] {
  const open = isRead ? host.openAt : openQuietlyAt;
  // A descriptor of its own, since threads share the other one's position.
  const own = host.unwrap(
    open(fd, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY),
    "open",
    "directory of the diff",
  );
  const entries: HostEntry[] = [];
  const bytes = new Uint8Array(BUFFER_SIZE);
  const view = new DataView(bytes.buffer);
  try {
    while (true) {
      const size = host.unwrap(host.getdents(own, bytes), "list", "directory of the diff");
      if (size === 0) return entries;
      for (let offset = 0; offset < size;) {
        const length = view.getUint16(offset + 16, true);
        let end = offset + 19;
        while (bytes[end] !== 0) end += 1;
        const name = decodeFileName(bytes.subarray(offset + 19, end));
        if (name !== "." && name !== "..") {
          const ino = view.getUint32(offset, true) +
            view.getUint32(offset + 4, true) * 0x1_0000_0000;
          entries.push({ name, ino, type: bytes[offset + 18]! });
        }
        offset += length;
      }
    }
  } finally {
    host.close(own);
  }
}

/**
 * Removes a name of the host with everything below it. Links are not followed. What cannot go
 * stays.
 */
export function removeHostTree(directoryFd: number, name: string, depth = 0): void {
  if (host.unlinkAt(directoryFd, name) === 0 || depth > DEPTH_MAX) return;
  const fd = host.openAt(
    directoryFd,
    name,
    OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW,
  );
  if (fd < 0) return;
  try {
    for (const entry of readHostDirectory(fd)) {
      if (entry.type === EntryType.DIRECTORY || host.unlinkAt(fd, entry.name) < 0) {
        removeHostTree(fd, entry.name, depth + 1);
      }
    }
  } finally {
    host.close(fd);
  }
  host.rmdirAt(directoryFd, name);
}
