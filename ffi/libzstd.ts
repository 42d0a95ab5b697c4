/**
 * Zstandard: one-shot frames. Optional.
 *
 * @module
 */

const SYMBOLS = {
  // size_t ZSTD_decompressDCtx(ZSTD_DCtx *, void *dst, size_t dstCapacity, const void *src, size_t
  // srcSize)
  ZSTD_decompressDCtx: {
    parameters: [
      "usize", // ZSTD_DCtx *dctx
      "usize", // void *dst
      "usize", // size_t dstCapacity
      "usize", // const void *src
      "usize", // size_t srcSize
    ],
    result: "usize",
  },
  // ZSTD_DCtx *ZSTD_createDCtx(void)
  ZSTD_createDCtx: { parameters: [], result: "usize" },
  // size_t ZSTD_compressCCtx(ZSTD_CCtx *, void *dst, size_t dstCapacity, const void *src, size_t
  // srcSize, int level)
  ZSTD_compressCCtx: {
    parameters: [
      "usize", // ZSTD_CCtx *cctx
      "usize", // void *dst
      "usize", // size_t dstCapacity
      "usize", // const void *src
      "usize", // size_t srcSize
      "i32", // int compressionLevel
    ],
    result: "usize",
  },
  // ZSTD_CCtx *ZSTD_createCCtx(void)
  ZSTD_createCCtx: { parameters: [], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bound when a thread ends: each symbol takes 0.1 ms. */
const FREE_SYMBOLS = {
  // size_t ZSTD_freeDCtx(ZSTD_DCtx *)
  ZSTD_freeDCtx: { parameters: ["usize"], result: "usize" },
  // size_t ZSTD_freeCCtx(ZSTD_CCtx *)
  ZSTD_freeCCtx: { parameters: ["usize"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

const NAME = "libzstd.so.1";

/** The calls this program uses. */
export interface Libzstd {
  /**
   * Expands complete frames. @returns the bytes produced, or -1 when they are damaged or too long
   */
  decompress(source: bigint, sourceSize: bigint, target: bigint, targetSize: bigint): number;
  /** Makes one frame with the content size in it. @returns its size, or -1 when it does not fit */
  compress(
    source: bigint,
    sourceSize: bigint,
    target: bigint,
    targetSize: bigint,
    level: number,
  ): number;
  /** Frees the memory of the other calls, which must not follow. */
  free(): void;
}

let loaded: Libzstd | undefined | null;

/** The library, or undefined where it is not installed. Loaded at the first call. */
export function loadLibzstd(): Libzstd | undefined {
  loaded ??= load() ?? null;
  return loaded ?? undefined;
}

/**
 * Frees what this thread has made of the library, which goes with no thread by itself. What was
 * loaded must not be used any more.
 */
export function unloadLibzstd(): void {
  loaded?.free();
  loaded = undefined;
}

function load(): Libzstd | undefined {
  let symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  try {
    symbols = Deno.dlopen(NAME, SYMBOLS).symbols;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
  // One for the life of the isolate: making one costs more than expanding a page.
  const context = symbols.ZSTD_createDCtx();
  if (context === 0n) return undefined;
  let compressor = 0n;
  return {
    decompress: (source, sourceSize, target, targetSize) => {
      // Errors are size_t values near 2^64, above any capacity.
      const result = symbols.ZSTD_decompressDCtx(context, target, targetSize, source, sourceSize);
      return result > targetSize ? -1 : Number(result);
    },
    compress: (source, sourceSize, target, targetSize, level) => {
      // Made when first needed: readers never compress.
      if (compressor === 0n) compressor = symbols.ZSTD_createCCtx();
      if (compressor === 0n) return -1;
      const result = symbols.ZSTD_compressCCtx(
        compressor,
        target,
        targetSize,
        source,
        sourceSize,
        level,
      );
      return result > targetSize ? -1 : Number(result);
    },
    free: () => {
      const { ZSTD_freeCCtx, ZSTD_freeDCtx } = Deno.dlopen(NAME, FREE_SYMBOLS).symbols;
      ZSTD_freeDCtx(context);
      // Nothing happens for one that was not made.
      ZSTD_freeCCtx(compressor);
    },
  };
}
