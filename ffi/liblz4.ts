/**
 * LZ4: raw blocks. Optional.
 *
 * @module
 */

const SYMBOLS = {
  // int LZ4_decompress_safe(const char *src, char *dst, int compressedSize, int dstCapacity)
  LZ4_decompress_safe: {
    parameters: [
      "usize", // const char *src
      "usize", // char *dst
      "i32", // int compressedSize
      "i32", // int dstCapacity
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The calls this program uses. */
export interface Liblz4 {
  /** Expands a raw block. @returns the bytes produced, negative when it is damaged or too long */
  decompress(source: bigint, target: bigint, sourceSize: number, targetSize: number): number;
}

let loaded: Liblz4 | undefined | null;

/** The library, or undefined where it is not installed. Loaded at the first call. */
export function loadLiblz4(): Liblz4 | undefined {
  loaded ??= load() ?? null;
  return loaded ?? undefined;
}

function load(): Liblz4 | undefined {
  try {
    const { symbols } = Deno.dlopen("liblz4.so.1", SYMBOLS);
    return { decompress: symbols.LZ4_decompress_safe };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}
