/**
 * libsystemd: sending structured entries to the journal.
 *
 * @module
 */

const SYMBOLS = {
  sd_journal_sendv: {
    parameters: [
      "buffer", // const struct iovec *iov
      "i32", // int n
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Sends one entry; each field is `NAME=value`. Returns 0, or a negative errno. */
export type SendToJournal = (fields: readonly string[]) => number;

const IOVEC_SIZE = 16;
const encoder = new TextEncoder();

/** Loads the library. @returns undefined when it is not installed */
export function loadJournal(): SendToJournal | undefined {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  try {
    library = Deno.dlopen("libsystemd.so.0", SYMBOLS).symbols;
  } catch {
    return undefined;
  }
  return (fields) => {
    // The bytes stay reachable through `parts` until the call has returned.
    const parts = fields.map((field) => encoder.encode(field));
    const vector = new BigUint64Array(parts.length * 2);
    for (const [index, bytes] of parts.entries()) {
      vector[index * 2] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
      vector[index * 2 + 1] = BigInt(bytes.length);
    }
    const iovec = new Uint8Array(vector.buffer, 0, parts.length * IOVEC_SIZE);
    return library.sd_journal_sendv(iovec, parts.length);
  };
}
