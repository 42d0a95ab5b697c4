/**
 * Random access to stored bytes: the one port through which formats reach files.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { UsageError } from "#src/errors.ts";

/** Bytes of a fixed length. Calls are synchronous and not re-entrant. */
export interface ByteSource {
  /** Length in bytes when the source was opened. */
  readonly size: number;
  /**
   * Reads `size` bytes at `offset` into `target.bytes` from `start` on; retries interrupted and
   * partial reads.
   *
   * @returns the number of bytes, short only at the end
   * @throws {OsError} when the read fails
   * @throws {UsageError} when the bytes do not fit into the target, or the offset is none
   */
  readAt(target: NativeBuffer, start: number, size: number, offset: number): number;
  /**
   * Says that a range will be read soon; does not wait for it. Absent where nothing can be read
   * ahead.
   */
  willRead?(offset: number, size: number): void;
  /** Zeros that are known without reading; absent where reading is the only way. */
  readonly zeros?: KnownZeros;
  /** Frees what is open; nothing may be read afterwards. */
  close(): void;
}

/** Ranges of zeros in a {@link ByteSource}. */
export interface KnownZeros {
  /** Where data may begin from `offset` on; the source's size when nothing follows. */
  nextData(offset: number): number;
  /** Where zeros begin from `offset` on; the source's size when none do. */
  nextHole(offset: number): number;
  /** Bytes from `start` to `end` (exclusive) that may be other than zero. */
  countData(start: number, end: number): number;
}

/**
 * Checks what a source is asked for: what is not in the target is other memory, where C writes.
 *
 * @throws {UsageError} when the bytes do not fit into the target, or the offset is none
 */
export function checkRead(
  target: NativeBuffer,
  start: number,
  size: number,
  offset: number,
): void {
  const isInside = Number.isInteger(start) && Number.isInteger(size) && start >= 0 && size >= 0 &&
    start + size <= target.bytes.length;
  if (isInside && Number.isSafeInteger(offset) && offset >= 0) return;
  throw new UsageError(
    `Cannot read ${size} bytes at ${offset} to ${start} of a buffer of ${target.bytes.length}`,
  );
}

/**
 * Opens the regular file at `path`; a symbolic link as last component is refused, and so is what is
 * not a file.
 *
 * @throws {OsError} ENOENT, ELOOP, EACCES, EINVAL (not a regular file) …
 */
export type OpenSource = (path: string) => ByteSource;
