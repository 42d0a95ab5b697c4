/**
 * Random access to stored bytes: the one port through which formats reach files.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/** Bytes of a fixed length. Calls are synchronous and not re-entrant. */
export interface ByteSource {
  /** Length in bytes when the source was opened. */
  readonly size: number;
  /**
   * Reads `size` bytes at `offset` into `target.bytes` from `start` on; retries interrupted and partial reads.
   *
   * @returns the number of bytes, short only at the end
   * @throws {OsError} when the read fails
   */
  readAt(target: NativeBuffer, start: number, size: number, offset: number): number;
  close(): void;
}

/**
 * Opens the regular file at `path`; a symbolic link as last component is refused, and so is what is not a file.
 *
 * @throws {OsError} ENOENT, ELOOP, EACCES, EINVAL (not a regular file) …
 */
export type OpenSource = (path: string) => ByteSource;
