/**
 * Where a command prints: results to standard output, everything else to standard error.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { translating } from "#src/io/fs_file_source.ts";

/** Whoever reads standard output has seen enough (`pbkfs pxar cat … | head`): the rest of a long result is not made. */
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
  /** Columns of the terminal, or undefined when standard output is none. */
  readonly columns: number | undefined;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (text) => void writeAll("output", new TextEncoder().encode(text)),
    outBytes: (bytes) => {
      if (!writeAll("output", bytes)) throw new OutputClosed();
    },
    err: (text) => void writeAll("error", new TextEncoder().encode(text)),
    get isWatched() {
      return Deno.stderr.isTerminal();
    },
    get columns() {
      return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
    },
  };
}

/** @returns false when nobody reads it */
function writeAll(name: "output" | "error", bytes: Uint8Array): boolean {
  const stream = name === "output" ? Deno.stdout : Deno.stderr;
  try {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(translating("write", `standard ${name}`, () => stream.writeSync(rest)));
    }
    return true;
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.EPIPE) return false;
    throw error;
  }
}
