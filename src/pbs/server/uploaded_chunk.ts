/**
 * Chunks and blobs that clients have sent: checked as far as that is possible without their keys,
 * then stored. For store threads.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { crc32 } from "#src/codecs/hashing.ts";
import { Failure, LimitError } from "#src/errors.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { BLOB_HEADER_SIZE, type BlobHeader, parseBlobHeader, setBlobCrc } from "../format/blob.ts";
import { insertChunk, type Insertion } from "../storage/chunk_insertion.ts";
import { Refusal } from "./refusal.ts";
import type { StoreInThread } from "./store_in_thread.ts";
import { CHUNK_SIZE_MAX } from "./upload_limits.ts";

let plainBuffer: NativeBuffer | undefined;

/**
 * Checks an encoded chunk and stores it. Its CRC is made right; an encrypted one is taken as it is.
 *
 * @param size plain bytes, as the client says
 * @throws {Refusal} when it is not what the client says
 * @throws {IntegrityError} when there is one of the same digest that it must not replace
 * @throws {OsError}
 */
export function storeUploadedChunk(
  store: StoreInThread,
  digest: ChunkDigest,
  size: number,
  encoded: Uint8Array<ArrayBuffer>,
): Insertion {
  const buffer = nativeBufferOf(encoded);
  const header = headerOf(encoded);
  const { headerSize } = header;
  setBlobCrc(encoded, 0, crc32(encoded, headerSize, encoded.length - headerSize));
  if (!header.isEncrypted) checkPlain(store, header, digest, size, buffer);
  return insertChunk(store.open.storage.chunks, digest, buffer, 0, encoded.length);
}

/** Checks what can be checked of a blob. @throws {Refusal} when it is none, or its CRC is wrong */
export function checkUploadedBlob(encoded: Uint8Array<ArrayBuffer>): void {
  const { headerSize, crc } = headerOf(encoded);
  if (crc32(encoded, headerSize, encoded.length - headerSize) === crc) return;
  throw new Refusal(400, "Data blob has wrong CRC checksum.");
}

function headerOf(encoded: Uint8Array<ArrayBuffer>): BlobHeader {
  try {
    return parseBlobHeader(encoded);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const problem = encoded.length < BLOB_HEADER_SIZE ? "too small" : "wrong magic";
    throw new Refusal(400, `unable to parse raw blob - ${problem}`);
  }
}

function checkPlain(
  { open: { codec, codecs } }: StoreInThread,
  { isCompressed, headerSize }: BlobHeader,
  digest: ChunkDigest,
  size: number,
  encoded: NativeBuffer,
): void {
  let [plain, start] = [encoded, headerSize];
  let plainSize = encoded.bytes.length - headerSize;
  if (isCompressed) {
    [plain, start] = [plainBuffer ??= codecs.allocate(CHUNK_SIZE_MAX), 0];
    const storedSize = encoded.bytes.length;
    try {
      plainSize = codec.decodeInto(encoded, 0, storedSize, plain, 0, CHUNK_SIZE_MAX, {
        isCrcTrusted: true,
      });
    } catch (error) {
      if (error instanceof LimitError) {
        throw new Refusal(400, `detected chunk with more than ${CHUNK_SIZE_MAX} bytes`);
      }
      if (error instanceof Failure) throw new Refusal(400, "unable to decompress chunk");
      throw error;
    }
  }
  if (plainSize !== size) {
    throw new Refusal(400, `detected chunk with wrong length (${size} != ${plainSize})`);
  }
  if (codec.digest(plain, start, plainSize) === digest) return;
  throw new Refusal(400, "detected chunk with wrong digest.");
}
