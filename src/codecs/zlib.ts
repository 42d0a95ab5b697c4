/**
 * zlib streams: libdeflate, else libz, else the built-in.
 *
 * @module
 */

import { inflateSync } from "node:zlib";
import { loadLibdeflate } from "#ffi/libdeflate.ts";
import { loadLibz } from "#ffi/libz.ts";
import { byBuiltIn, byLibrary, type Decompress } from "./decompressor.ts";

/** By libdeflate (about 2.5 times the speed of libz), or undefined where it is not installed. */
export const zlibByLibdeflate: () => Decompress | undefined = byLibrary(
  loadLibdeflate,
  (library, source, sourceSize, target, targetSize) =>
    library.zlibDecompressExactly(source, sourceSize, target, targetSize) ? Number(targetSize) : -1,
);

/** By libz, or undefined where it is not installed. */
export const zlibByLibz: () => Decompress | undefined = byLibrary(
  loadLibz,
  (library, source, sourceSize, target, targetSize) =>
    library.uncompress(source, sourceSize, target, targetSize),
);

/** Without FFI. */
export const zlibBuiltIn: Decompress = byBuiltIn((bytes, maxOutputLength) =>
  inflateSync(bytes, { maxOutputLength })
);
