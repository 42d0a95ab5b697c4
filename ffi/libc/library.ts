/**
 * How the modules of libc reach it: each opens the symbols it needs when one is first called, and
 * all share the thread's errno.
 *
 * @module
 */

const FILE_NAME = "libc.so.6";
const ERRNO_SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The address belongs to the thread, and an isolate stays on its thread. */
let errnoView: Deno.UnsafePointerView | undefined;

/** Makes the function that gives the symbols of libc; it is opened at the first call. */
export function libcWith<const Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): () => Deno.DynamicLibrary<Symbols>["symbols"] {
  let library: Deno.DynamicLibrary<Symbols>["symbols"] | undefined;
  return () => library ??= open(symbols);
}

function open<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  errnoView ??= new Deno.UnsafePointerView(
    Deno.dlopen(FILE_NAME, ERRNO_SYMBOLS).symbols.__errno_location()!,
  );
  return Deno.dlopen(FILE_NAME, symbols).symbols;
}

/** The negative errno of the call that just failed; must be read before any other call. */
export function failed(): number {
  return -errnoView!.getInt32(0);
}

/** The value, or the negative errno of a call that gave -1. */
export function check(result: number): number {
  return result === -1 ? failed() : result;
}
