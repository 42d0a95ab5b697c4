/**
 * Files inside a backup directory, with errors that say which file of which backup is damaged.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError, OsError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SourcePool } from "#src/io/source_pool.ts";

/** A file that a list promises. */
export interface StoredFile {
  readonly path: string;
  readonly backupId: string;
  /** Length that the list says; absent when nothing says it. */
  readonly size?: number;
}

/**
 * Errors of open(2) that say that the stored file is not what the list promises, rather than that
 * the host is ill.
 */
const MISSING_CODES = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EINVAL", "ENXIO"]);

/**
 * The open source of a stored file; to be used at once.
 *
 * @throws {IntegrityError} when the file is missing, no regular file, or not as long as its list
 *   says
 * @throws {OsError} when the host refuses
 */
export function openStored(pool: SourcePool, file: StoredFile): ByteSource {
  let source: ByteSource;
  try {
    source = pool.get(file.path);
  } catch (error) {
    if (!(error instanceof OsError) || !MISSING_CODES.has(error.code)) throw error;
    throw new IntegrityError(`Cannot open stored file: ${error.code}`, {
      code: "missing",
      path: file.path,
      backupId: file.backupId,
      cause: error,
    });
  }
  if (file.size !== undefined && source.size !== file.size) {
    throw new IntegrityError(
      `Cannot use stored file: it has ${source.size} bytes, the file list says ${file.size}`,
      { path: file.path, offset: Math.min(source.size, file.size), backupId: file.backupId },
    );
  }
  return source;
}

/**
 * Reads exactly `size` bytes.
 *
 * @throws {IntegrityError} as {@link openStored}, and when the file ends early
 */
export function readStored(
  pool: SourcePool,
  file: StoredFile,
  target: NativeBuffer,
  start: number,
  size: number,
  offset: number,
): void {
  const count = openStored(pool, file).readAt(target, start, size, offset);
  if (count === size) return;
  throw new IntegrityError(`Cannot read ${size} bytes: stored file ends after ${count} of them`, {
    path: file.path,
    offset,
    backupId: file.backupId,
  });
}
