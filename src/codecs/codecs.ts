/**
 * Compression and encryption as values. Here, and only here, it is decided which library or
 * built-in does the work.
 *
 * @module
 */

import { unloadLibcrypto } from "#ffi/libcrypto.ts";
import { unloadLibzstd } from "#ffi/libzstd.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { type Aead, aeadBuiltIn, aeadByLibrary } from "./aead.ts";
import type { Codecs, Compress, Decompress } from "./decompressor.ts";
import { type Sha256, sha256BuiltIn, sha256ByLibrary } from "./hashing.ts";
import { lz4BuiltIn, lz4ByLibrary } from "./lz4.ts";
import { zlibBuiltIn, zlibByLibdeflate, zlibByLibz } from "./zlib.ts";
import { compressZstdBuiltIn, compressZstdByLibrary, zstdBuiltIn, zstdByLibrary } from "./zstd.ts";

export type { Aead, AeadCall, AeadMessage } from "./aead.ts";
export type { Codecs, Compress, Decompress } from "./decompressor.ts";
export type { Sha256 } from "./hashing.ts";

/** Codecs that use only what the runtime has built in. Their buffers have no address. */
export function builtInCodecs(): Codecs {
  return {
    zlib: zlibBuiltIn,
    lz4: lz4BuiltIn,
    zstd: zstdBuiltIn,
    compressZstd: compressZstdBuiltIn,
    sha256: sha256BuiltIn,
    aead: aeadBuiltIn,
    allocate: plainBuffer,
  };
}

/**
 * Codecs that call the fastest library installed, loaded when first needed. Needs the FFI
 * permission.
 */
export function nativeCodecs(): Codecs {
  return new NativeCodecs();
}

/** The best codecs that this process may use. */
export function hostCodecs(): Codecs {
  return mayUseFfi ? nativeCodecs() : builtInCodecs();
}

/**
 * Frees the memory that libraries hold for this thread, before it ends: it goes with no thread by
 * itself. Codecs of {@link nativeCodecs} must not be used any more.
 */
export function endNativeCodecs(): void {
  unloadLibzstd();
  unloadLibcrypto();
}

class NativeCodecs implements Codecs {
  #zlib: Decompress | undefined;
  #lz4: Decompress | undefined;
  #zstd: Decompress | undefined;
  #compressZstd: Compress | undefined;
  #sha256: Sha256 | undefined;
  #aead: Aead | undefined;

  get zlib(): Decompress {
    return this.#zlib ??= zlibByLibdeflate() ?? zlibByLibz() ?? zlibBuiltIn;
  }

  get lz4(): Decompress {
    return this.#lz4 ??= lz4ByLibrary() ?? lz4BuiltIn;
  }

  get zstd(): Decompress {
    return this.#zstd ??= zstdByLibrary() ?? zstdBuiltIn;
  }

  get compressZstd(): Compress {
    return this.#compressZstd ??= compressZstdByLibrary() ?? compressZstdBuiltIn;
  }

  get sha256(): Sha256 {
    return this.#sha256 ??= sha256ByLibrary() ?? sha256BuiltIn;
  }

  get aead(): Aead {
    return this.#aead ??= aeadByLibrary() ?? aeadBuiltIn;
  }

  allocate = allocateNativeBuffer;
}
