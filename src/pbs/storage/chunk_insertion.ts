/**
 * Storing a chunk that somebody else has encoded.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError } from "#src/errors.ts";
import { BLOB_HEADER_SIZE, parseBlobHeader } from "../format/blob.ts";
import type { ChunkStorage } from "./storage.ts";

/** What became of an insertion. */
export interface Insertion {
  /** False when the storage had the chunk already; it was not written again. */
  readonly isNew: boolean;
  /** Bytes of the chunk that is stored now. */
  readonly storedSize: number;
}

/**
 * Stores an encoded chunk, a whole blob, unless it is there already.
 *
 * @throws {IntegrityError} when there is one of the same digest whose encryption is not what an
 *   encrypted one's must be
 * @throws {OsError}
 */
export function insertChunk(
  chunks: ChunkStorage,
  digest: ChunkDigest,
  encoded: NativeBuffer,
  start: number,
  size: number,
): Insertion {
  const oldSize = chunks.touch(digest);
  if (
    oldSize > BLOB_HEADER_SIZE &&
    (oldSize === size || !replaces(chunks, digest, oldSize, encoded, start, size))
  ) {
    return { isNew: false, storedSize: oldSize };
  }
  chunks.write(digest, encoded, start, size);
  return { isNew: oldSize <= 0, storedSize: size };
}

/** Whether a chunk of another length takes the old one's place. */
function replaces(
  chunks: ChunkStorage,
  digest: ChunkDigest,
  oldSize: number,
  encoded: NativeBuffer,
  start: number,
  size: number,
): boolean {
  const header = parseBlobHeader(encoded.bytes, start, size);
  if (!header.isEncrypted) return oldSize > size;
  const count = chunks.read(digest);
  const old = parseBlobHeader(chunks.buffer.bytes, 0, Math.max(count, 0));
  if (!old.isEncrypted) {
    throw new IntegrityError("Cannot store encrypted chunk: there is one that is not encrypted", {
      path: chunks.pathOf(digest),
    });
  }
  if (!old.isCompressed && !header.isCompressed) {
    throw new IntegrityError("Cannot store encrypted chunk: there is one of another length", {
      path: chunks.pathOf(digest),
    });
  }
  return false;
}
