/**
 * Where a command prints: results to standard output, everything else to standard error.
 *
 * @module
 */

/** What commands know of the terminal; tests give their own. */
export interface Terminal {
  /** Prints a result. */
  out(text: string): void;
  /** Prints a diagnostic. */
  err(text: string): void;
  /** Columns of the terminal, or undefined when standard output is none. */
  readonly columns: number | undefined;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    get columns() {
      return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
    },
  };
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (error) {
    // The reader has seen enough (`pbkfs show | head`).
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
