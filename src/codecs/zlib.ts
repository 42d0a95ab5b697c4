/**
 * zlib streams: libdeflate, else libz, else the built-in.
 *
 * @module
 */

import { inflateSync } from "node:zlib";
import { loadLibdeflate } from "#ffi/libdeflate.ts";
import { loadLibz } from "#ffi/libz.ts";
import type { Decompress } from "./decompressor.ts";

/** By libdeflate (about 2.5 times the speed of libz), or undefined where it is not installed. */
export function zlibByLibdeflate(): Decompress | undefined {
  const library = loadLibdeflate();
  if (library === undefined) return undefined;
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) =>
    library.zlibDecompressExactly(
        source.address + BigInt(sourceStart),
        BigInt(sourceSize),
        target.address + BigInt(targetStart),
        BigInt(targetSize),
      )
      ? targetSize
      : -1;
}

/** By libz, or undefined where it is not installed. */
export function zlibByLibz(): Decompress | undefined {
  const library = loadLibz();
  if (library === undefined) return undefined;
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) =>
    library.uncompress(
      source.address + BigInt(sourceStart),
      BigInt(sourceSize),
      target.address + BigInt(targetStart),
      BigInt(targetSize),
    );
}

/** Without FFI. */
export const zlibBuiltIn: Decompress = (
  source,
  sourceStart,
  sourceSize,
  target,
  targetStart,
  targetSize,
) => {
  try {
    const output = inflateSync(source.bytes.subarray(sourceStart, sourceStart + sourceSize), {
      maxOutputLength: targetSize,
    });
    target.bytes.set(output, targetStart);
    return output.length;
  } catch {
    // The built-in has no other way to say that the stream is damaged or too long.
    return -1;
  }
};
