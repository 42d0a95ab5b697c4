/**
 * How large chunks and blobs of clients may be.
 *
 * @module
 */

import { BLOB_HEADER_SIZE, ENCRYPTED_BLOB_HEADER_SIZE } from "../format/blob.ts";

/** Most plain bytes of a chunk. */
export const CHUNK_SIZE_MAX = 16 << 20;
/** Most bytes of an encoded chunk, or of a blob. */
export const ENCODED_SIZE_MAX = CHUNK_SIZE_MAX + ENCRYPTED_BLOB_HEADER_SIZE;
/** Bytes of the smallest encoded chunk: it is not empty. */
export const ENCODED_SIZE_MIN = BLOB_HEADER_SIZE + 1;
