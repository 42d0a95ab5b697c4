/**
 * Where a command prints: results to standard output, everything else to standard error.
 *
 * @module
 */

/** What commands know of the terminal; tests give their own. */
export interface Terminal {
  /** Prints a result. */
  out(text: string): void;
  /** Prints bytes as a result. */
  outBytes(bytes: Uint8Array): void;
  /** Prints a diagnostic. */
  err(text: string): void;
  /** Standard error is a terminal: somebody is looking. */
  readonly isWatched: boolean;
  /** Columns of the terminal, or undefined when standard output is none. */
  readonly columns: number | undefined;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (text) => writeAll(Deno.stdout, new TextEncoder().encode(text)),
    outBytes: (bytes) => writeAll(Deno.stdout, bytes),
    err: (text) => writeAll(Deno.stderr, new TextEncoder().encode(text)),
    get isWatched() {
      return Deno.stderr.isTerminal();
    },
    get columns() {
      return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
    },
  };
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(stream.writeSync(rest));
  } catch (error) {
    // The reader has seen enough (`pbkfs show | head`).
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
