/**
 * zlib: inflates zlib streams where libdeflate is not installed.
 *
 * @module
 */

const SYMBOLS = {
  // int uncompress(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen)
  uncompress: {
    parameters: [
      "usize", // Bytef *dest
      "buffer", // uLongf *destLen: capacity in, bytes produced out
      "usize", // const Bytef *source
      "usize", // uLong sourceLen
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The calls this program uses. */
export interface Libz {
  /**
   * Expands one zlib stream of at most `targetSize` bytes.
   *
   * @returns the bytes produced, or -1 when the stream is damaged or longer
   */
  uncompress(source: bigint, sourceSize: bigint, target: bigint, targetSize: bigint): number;
}

let loaded: Libz | undefined | null;

/** The library, or undefined where it is not installed. Loaded at the first call. */
export function loadLibz(): Libz | undefined {
  loaded ??= load() ?? null;
  return loaded ?? undefined;
}

function load(): Libz | undefined {
  let symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  try {
    symbols = Deno.dlopen("libz.so.1", SYMBOLS).symbols;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
  const produced = new BigUint64Array(1);
  const producedBytes = new Uint8Array(produced.buffer);
  return {
    uncompress: (source, sourceSize, target, targetSize) => {
      produced[0] = targetSize;
      const result = symbols.uncompress(target, producedBytes, source, sourceSize);
      return result === 0 ? Number(produced[0]) : -1;
    },
  };
}
