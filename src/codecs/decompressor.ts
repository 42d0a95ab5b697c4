/**
 * Decompression of small pieces (pages, page headers) between caller-owned buffers.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/**
 * Expands `source.bytes` from `sourceStart`, `sourceSize` bytes, into `target.bytes` from `targetStart` on, at
 * most `targetSize` bytes. The regions must lie inside their buffers, which is the caller's duty. Both buffers
 * must come from {@link Codecs.allocate} of the same codecs, or have an address when FFI is in use.
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

/** All general algorithms, and the buffers they work on. */
export interface Codecs {
  /** A complete zlib stream. Output shorter than `targetSize` may be reported as damage. */
  readonly zlib: Decompress;
  /** A raw LZ4 block without size prefix. */
  readonly lz4: Decompress;
  /** A complete zstd frame. */
  readonly zstd: Decompress;
  /** Makes a zeroed buffer that the decompressors accept. */
  allocate(sizeBytes: number): NativeBuffer;
}
