/**
 * Zstandard frames: libzstd, else the built-in.
 *
 * @module
 */

import { zstdDecompressSync } from "node:zlib";
import { loadLibzstd } from "#ffi/libzstd.ts";
import type { Decompress } from "./decompressor.ts";

/** By libzstd, or undefined where it is not installed. */
export function zstdByLibrary(): Decompress | undefined {
  const library = loadLibzstd();
  if (library === undefined) return undefined;
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) =>
    library.decompress(
      source.address + BigInt(sourceStart),
      BigInt(sourceSize),
      target.address + BigInt(targetStart),
      BigInt(targetSize),
    );
}

/** Without FFI. A truncated frame may come out short: compare the length with what is expected. */
export const zstdBuiltIn: Decompress = (
  source,
  sourceStart,
  sourceSize,
  target,
  targetStart,
  targetSize,
) => {
  try {
    const output = zstdDecompressSync(
      source.bytes.subarray(sourceStart, sourceStart + sourceSize),
      { maxOutputLength: targetSize },
    );
    if (output.length > targetSize) return -1;
    target.bytes.set(output, targetStart);
    return output.length;
  } catch {
    // The built-in has no other way to say that the frame is damaged or too long.
    return -1;
  }
};
