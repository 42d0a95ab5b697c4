/**
 * Making Zstandard frames: libzstd, else the built-in.
 *
 * @module
 */

import { constants, zstdCompressSync } from "node:zlib";
import { loadLibzstd } from "#ffi/libzstd.ts";
import type { Compress } from "./decompressor.ts";

/** The level of the reference. */
const LEVEL = 1;
/** What a frame can be longer than its content, besides a 256th of that. */
const FRAME_OVERHEAD_MAX = 1024;

/** By libzstd, or undefined where it is not installed. */
export function compressZstdByLibrary(): Compress | undefined {
  const library = loadLibzstd();
  if (library === undefined) return undefined;
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) =>
    library.compress(
      source.address + BigInt(sourceStart),
      BigInt(sourceSize),
      target.address + BigInt(targetStart),
      BigInt(targetSize),
      LEVEL,
    );
}

/** Without FFI. */
export const compressZstdBuiltIn: Compress = (
  source,
  sourceStart,
  sourceSize,
  target,
  targetStart,
  targetSize,
) => {
  const options = {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    pledgedSrcSize: sourceSize,
    // Room for the whole frame: one that needs a second piece comes with an empty frame behind it
    // (Deno 2.9).
    chunkSize: sourceSize + (sourceSize >> 8) + FRAME_OVERHEAD_MAX,
  };
  const frame = zstdCompressSync(
    source.bytes.subarray(sourceStart, sourceStart + sourceSize),
    options,
  );
  if (frame.length > targetSize) return -1;
  target.bytes.set(frame, targetStart);
  return frame.length;
};
