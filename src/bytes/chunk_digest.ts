/**
 * The name of a chunk: the SHA-256 of its plain bytes (followed by the id key where chunks are
 * encrypted).
 *
 * A string, so that it can be compared and be the key of a map.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** 64 lower case hex digits. */
export type ChunkDigest = string & { readonly brand: "ChunkDigest" };

/** Bytes of a digest in an index. */
export const DIGEST_SIZE = 32;

const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** The digest whose 32 bytes these are. */
export function digestOf(bytes: Uint8Array): ChunkDigest {
  if (bytes.length !== DIGEST_SIZE) {
    throw new FormatError(`Cannot read digest: expected ${DIGEST_SIZE} bytes, got ${bytes.length}`);
  }
  return bytes.toHex() as ChunkDigest;
}

/** The 32 bytes of a digest. */
export function digestBytes(digest: ChunkDigest): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(digest);
}

/**
 * Reads a digest from outside.
 *
 * @throws {FormatError} when it is not 64 lower case hex digits
 */
export function parseDigest(text: string): ChunkDigest {
  if (!DIGEST_PATTERN.test(text)) {
    throw new FormatError(`Cannot take "${text}" as a digest: 64 hex digits expected`);
  }
  return text as ChunkDigest;
}
