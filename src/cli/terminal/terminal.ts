/**
 * Where a command prints: results to standard output, everything else to standard error.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";

/**
 * Whoever reads standard output has seen enough (`pbkfs pxar cat … | head`): the rest of a long
 * result is not made.
 */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** What commands know of the terminal; tests give their own. */
export interface Terminal {
  /** Prints a result; nothing happens when nobody reads it any more. @throws {OsError} */
  out(text: string): void;
  /** Prints bytes as part of a long result. @throws {OutputClosed} @throws {OsError} */
  outBytes(bytes: Uint8Array): void;
  /** Prints a diagnostic. */
  err(text: string): void;
  /** Standard error is a terminal: somebody is looking. */
  readonly isWatched: boolean;
  /** Standard output is a terminal, which would do what a name tells it to do. */
  readonly isTerminal: boolean;
  /** Columns that texts are to fit in; undefined where nobody has said so. */
  readonly columns: number | undefined;
}

/**
 * The terminal of this process.
 *
 * @param columnsWanted value of `COLUMNS`: as POSIX has it, it counts more than what the terminal
 *   says, and without one too
 */
export function processTerminal(columnsWanted?: string): Terminal {
  const wanted = /^[1-9]\d{0,5}$/u.test(columnsWanted ?? "") ? Number(columnsWanted) : undefined;
  return {
    out: (text) => void writeAll("output", new TextEncoder().encode(text)),
    outBytes: (bytes) => {
      if (!writeAll("output", bytes)) throw new OutputClosed();
    },
    err: (text) => void writeAll("error", new TextEncoder().encode(text)),
    get isWatched() {
      return Deno.stderr.isTerminal();
    },
    get isTerminal() {
      return Deno.stdout.isTerminal();
    },
    get columns() {
      if (wanted !== undefined) return wanted;
      // A terminal that does not know says 0.
      return Deno.stdout.isTerminal() ? Deno.consoleSize().columns || undefined : undefined;
    },
  };
}

/** @returns false when nobody reads it */
function writeAll(name: "output" | "error", bytes: Uint8Array): boolean {
  const stream = name === "output" ? Deno.stdout : Deno.stderr;
  try {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(callRuntime("write", `standard ${name}`, () => stream.writeSync(rest)));
    }
    return true;
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.EPIPE) return false;
    throw error;
  }
}
