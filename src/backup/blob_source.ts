/**
 * Files that are stored as one blob.
 *
 * @module
 */

import { LimitError, OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { preadInto } from "#ffi/libc/metadata.ts";
import { BLOB_DATA_SIZE_MAX } from "#src/pbs/format/blob.ts";
import { FileType } from "#src/tree/node.ts";
import { openFileToBackUp } from "./open_source.ts";

const CHUNK_SIZE = 64 << 10;

/**
 * Reads a configuration or log file.
 *
 * @throws {UsageError} when it is no regular file
 * @throws {LimitError} when it is larger than a blob may be
 * @throws {OsError} when it cannot be read
 */
export function readBlobSource(path: string): Uint8Array<ArrayBuffer> {
  const { fd, stat } = openFileToBackUp(path, [FileType.FILE], "regular file");
  try {
    if (stat.size > BLOB_DATA_SIZE_MAX) throw tooLarge(path);
    return readAll(fd, path, stat.size);
  } finally {
    host.close(fd);
  }
}

/** Reads to the end, wherever that is meanwhile. Files of the kernel say that they are empty. */
function readAll(fd: number, path: string, size: number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(size + CHUNK_SIZE);
  let length = 0;
  while (true) {
    if (length > BLOB_DATA_SIZE_MAX) throw tooLarge(path);
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
    const count = preadInto(fd, bytes.subarray(length), length);
    if (count === -host.Errno.EINTR) continue;
    if (count < 0) throw new OsError(-count, "read", path);
    if (count === 0) return bytes.subarray(0, length);
    length += count;
  }
}

function tooLarge(path: string): LimitError {
  return new LimitError(`Cannot back up "${path}": it has more than ${BLOB_DATA_SIZE_MAX} bytes`);
}
