/**
 * The name that the program was started by.
 *
 * @module
 */

const SYMBOLS = {
  // char *: as a number, since a static of type "pointer" gives its own address
  program_invocation_name: { type: "u64" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * `argv[0]` as the user gave it: the path of the executable tells nothing of a link that was
 * followed.
 */
export function programInvocationName(): string {
  const address = Deno.dlopen("libc.so.6", SYMBOLS).symbols.program_invocation_name;
  const name = Deno.UnsafePointer.create(BigInt(address));
  return name === null ? "" : Deno.UnsafePointerView.getCString(name);
}
