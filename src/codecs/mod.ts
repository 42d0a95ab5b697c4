/**
 * Compression as values. Here, and only here, it is decided which library or built-in does the work.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { allocateNativeBuffer } from "#src/io/host.ts";
import type { Codecs, Decompress } from "./decompressor.ts";
import { lz4BuiltIn, lz4ByLibrary } from "./lz4.ts";
import { zlibBuiltIn, zlibByLibdeflate, zlibByLibz } from "./zlib.ts";
import { zstdBuiltIn, zstdByLibrary } from "./zstd.ts";

export type { Codecs, Decompress } from "./decompressor.ts";

/** Codecs that use only what the runtime has built in. Their buffers have no address. */
export function builtInCodecs(): Codecs {
  return { zlib: zlibBuiltIn, lz4: lz4BuiltIn, zstd: zstdBuiltIn, allocate: plainBuffer };
}

/** Codecs that call the fastest library installed, loaded when first needed. Needs the FFI permission. */
export function nativeCodecs(): Codecs {
  return new NativeCodecs();
}

class NativeCodecs implements Codecs {
  #zlib: Decompress | undefined;
  #lz4: Decompress | undefined;
  #zstd: Decompress | undefined;

  get zlib(): Decompress {
    return this.#zlib ??= zlibByLibdeflate() ?? zlibByLibz() ?? zlibBuiltIn;
  }

  get lz4(): Decompress {
    return this.#lz4 ??= lz4ByLibrary() ?? lz4BuiltIn;
  }

  get zstd(): Decompress {
    return this.#zstd ??= zstdByLibrary() ?? zstdBuiltIn;
  }

  allocate = allocateNativeBuffer;
}
