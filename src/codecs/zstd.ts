/**
 * Zstandard frames, read and made: libzstd, else the built-in.
 *
 * @module
 */

import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { loadLibzstd } from "#ffi/libzstd.ts";
import { byBuiltIn, byLibrary, type Compress, type Decompress } from "./decompressor.ts";

/** By libzstd, or undefined where it is not installed. */
export const zstdByLibrary: () => Decompress | undefined = byLibrary(
  loadLibzstd,
  (library, source, sourceSize, target, targetSize) =>
    library.decompress(source, sourceSize, target, targetSize),
);

/** Without FFI. A truncated frame may come out short: compare the length with what is expected. */
export const zstdBuiltIn: Decompress = byBuiltIn((bytes, maxOutputLength) =>
  zstdDecompressSync(bytes, { maxOutputLength })
);

/** The level of the reference. */
const LEVEL = 1;
/** What a frame can be longer than its content, besides a 256th of that. */
const FRAME_OVERHEAD_MAX = 1024;

/** By libzstd, or undefined where it is not installed. */
export const compressZstdByLibrary: () => Compress | undefined = byLibrary(
  loadLibzstd,
  (library, source, sourceSize, target, targetSize) =>
    library.compress(source, sourceSize, target, targetSize, LEVEL),
);

/** Without FFI. */
export const compressZstdBuiltIn: Compress = byBuiltIn((bytes) => {
  const options = {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    pledgedSrcSize: bytes.length,
    // Room for the whole frame: one that needs a second piece comes with an empty frame behind it
    // (Deno 2.9).
    chunkSize: bytes.length + (bytes.length >> 8) + FRAME_OVERHEAD_MAX,
  };
  return zstdCompressSync(bytes, options);
});
