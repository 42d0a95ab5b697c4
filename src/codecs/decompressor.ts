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

/**
 * An algorithm of a library, which works on addresses.
 *
 * @param load gives the library, or undefined where it is not installed
 */
export function byLibrary<Library>(
  load: () => Library | undefined,
  run: (
    library: Library,
    source: bigint,
    sourceSize: bigint,
    target: bigint,
    targetSize: bigint,
  ) => number,
): () => Decompress | undefined {
  return () => {
    const library = load();
    return library && ((source, sourceStart, sourceSize, target, targetStart, targetSize) =>
      run(
        library,
        source.address + BigInt(sourceStart),
        BigInt(sourceSize),
        target.address + BigInt(targetStart),
        BigInt(targetSize),
      ));
  };
}

/** An algorithm of the runtime, which makes its output itself. */
export function byBuiltIn(
  run: (bytes: Uint8Array<ArrayBuffer>, outputSizeMax: number) => Uint8Array,
): Decompress {
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) => {
    try {
      const bytes = source.bytes.subarray(sourceStart, sourceStart + sourceSize);
      const output = run(bytes, targetSize);
      if (output.length > targetSize) return -1;
      target.bytes.set(output, targetStart);
      return output.length;
    } catch {
      // The built-ins have no other way to say that the input is damaged or the output too long.
      return -1;
    }
  };
}
