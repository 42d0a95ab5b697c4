/**
 * Raw LZ4 blocks: liblz4, else the decoder here.
 *
 * @module
 */

import { loadLiblz4 } from "#ffi/liblz4.ts";
import type { Decompress } from "./decompressor.ts";
import { decodeLz4Block } from "./lz4_block.ts";

/** By liblz4, or undefined where it is not installed. */
export function lz4ByLibrary(): Decompress | undefined {
  const library = loadLiblz4();
  if (library === undefined) return undefined;
  return (source, sourceStart, sourceSize, target, targetStart, targetSize) =>
    library.decompress(
      source.address + BigInt(sourceStart),
      target.address + BigInt(targetStart),
      sourceSize,
      targetSize,
    );
}

/** Without FFI. */
export const lz4BuiltIn: Decompress = (
  source,
  sourceStart,
  sourceSize,
  target,
  targetStart,
  targetSize,
) => decodeLz4Block(source.bytes, sourceStart, sourceSize, target.bytes, targetStart, targetSize);
