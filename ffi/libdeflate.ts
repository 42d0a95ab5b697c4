/**
 * libdeflate: the fastest way to inflate small zlib streams. Optional.
 *
 * @module
 */

const SYMBOLS = {
  // struct libdeflate_decompressor *libdeflate_alloc_decompressor(void)
  libdeflate_alloc_decompressor: { parameters: [], result: "usize" },
  // enum libdeflate_result libdeflate_zlib_decompress(…)
  libdeflate_zlib_decompress: {
    parameters: [
      "usize", // struct libdeflate_decompressor *decompressor
      "usize", // const void *in
      "usize", // size_t in_nbytes
      "usize", // void *out
      "usize", // size_t out_nbytes_avail
      "usize", // size_t *actual_out_nbytes_ret; NULL: the output must fill the buffer exactly
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The calls this program uses. */
export interface Libdeflate {
  /**
   * Expands one zlib stream to exactly `targetSize` bytes.
   *
   * @returns false when the stream is damaged or expands to another size
   */
  zlibDecompressExactly(
    source: bigint,
    sourceSize: bigint,
    target: bigint,
    targetSize: bigint,
  ): boolean;
}

let loaded: Libdeflate | undefined | null;

/** The library, or undefined where it is not installed. Loaded at the first call. */
export function loadLibdeflate(): Libdeflate | undefined {
  loaded ??= load() ?? null;
  return loaded ?? undefined;
}

function load(): Libdeflate | undefined {
  let symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  try {
    symbols = Deno.dlopen("libdeflate.so.0", SYMBOLS).symbols;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
  // One for the life of the isolate: a decompressor must not be shared by threads.
  const decompressor = symbols.libdeflate_alloc_decompressor();
  if (decompressor === 0n) return undefined;
  const decompress = symbols.libdeflate_zlib_decompress;
  return {
    zlibDecompressExactly: (source, sourceSize, target, targetSize) =>
      decompress(decompressor, source, sourceSize, target, targetSize, 0n) === 0,
  };
}
