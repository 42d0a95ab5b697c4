/**
 * Raw LZ4 blocks: liblz4, else the decoder here.
 *
 * @module
 */

import { loadLiblz4 } from "#ffi/liblz4.ts";
import { byLibrary, type Decompress } from "./decompressor.ts";
import { decodeLz4Block } from "./lz4_block.ts";

/** By liblz4, or undefined where it is not installed. */
export const lz4ByLibrary: () => Decompress | undefined = byLibrary(
  loadLiblz4,
  (library, source, sourceSize, target, targetSize) =>
    library.decompress(source, target, Number(sourceSize), Number(targetSize)),
);

/** Without FFI. */
export const lz4BuiltIn: Decompress = (
  source,
  sourceStart,
  sourceSize,
  target,
  targetStart,
  targetSize,
) => decodeLz4Block(source.bytes, sourceStart, sourceSize, target.bytes, targetStart, targetSize);
