/**
 * Algorithms between caller-owned buffers: decompression of pages, compression and encryption of
 * chunks.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Aead } from "./aead.ts";
import type { Sha256 } from "./hashing.ts";

/**
 * Expands `source.bytes` from `sourceStart`, `sourceSize` bytes, into `target.bytes` from
 * `targetStart` on, at most `targetSize` bytes. The regions must lie inside their buffers, which is
 * the caller's duty. Both buffers must come from {@link Codecs.allocate} of the same codecs, or
 * have an address when FFI is in use.
 *
 * @returns the number of bytes produced; negative when the input is damaged or expands to more
 */
export type Decompress = (
  source: NativeBuffer,
  sourceStart: number,
  sourceSize: number,
  target: NativeBuffer,
  targetStart: number,
  targetSize: number,
) => number;

/**
 * Packs `sourceSize` bytes of `source.bytes` from `sourceStart` into `target.bytes` from
 * `targetStart` on, at most `targetSize` bytes; otherwise as {@link Decompress}.
 *
 * @returns the number of bytes produced; negative when they would be more
 */
export type Compress = Decompress;

/** All general algorithms, and the buffers they work on. */
export interface Codecs {
  /** A complete zlib stream. Output shorter than `targetSize` may be reported as damage. */
  readonly zlib: Decompress;
  /** A raw LZ4 block without size prefix. */
  readonly lz4: Decompress;
  /** A complete zstd frame. */
  readonly zstd: Decompress;
  /** Makes one zstd frame of level 1, with the content size in its header. */
  readonly compressZstd: Compress;
  /** Writes or returns the digest of a range; see {@link Sha256}. */
  readonly sha256: Sha256;
  /** AES-256-GCM. */
  readonly aead: Aead;
  /** Makes a zeroed buffer that the decompressors accept. */
  allocate(sizeBytes: number): NativeBuffer;
}
