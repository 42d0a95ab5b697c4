/**
 * Telling of single entries that something went wrong with, while the rest goes on.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { OutputFormat } from "../exit_code.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { quoteName, showMessage } from "#src/bytes/quoting.ts";

/** Something that is not as asked for. */
export interface EntryProblem {
  readonly path: string;
  readonly severity: "error" | "warning" | "notice";
  /** Stable identifier. */
  readonly code: string;
  /** What was tried, or found. */
  readonly message: string;
  /** The flag that helps. */
  readonly option?: string | undefined;
}

/** A line that shows progress, and must go away before anything else is printed. */
export interface LineOnTerminal {
  clear(): void;
}

/** Prints problems on standard error, as lines or as JSON objects with `type` "problem". */
export class ProblemOutput {
  readonly #terminal: Terminal;
  readonly #format: OutputFormat;
  readonly #progress: LineOnTerminal;

  constructor(terminal: Terminal, format: OutputFormat, progress: LineOnTerminal) {
    this.#terminal = terminal;
    this.#format = format;
    this.#progress = progress;
  }

  /** Prints one. */
  print(problem: EntryProblem): void {
    this.#progress.clear();
    if (this.#format === "json") {
      this.#terminal.err(JSON.stringify({ type: "problem", ...problem }) + "\n");
    } else {
      const { severity, path, message } = problem;
      const name = quoteName(path);
      const place = message.includes(name) ? "" : `${name}: `;
      this.#terminal.err(`${severity}: ${place}${showMessage(message)}\n`);
    }
  }

  /** Prints the path of an entry that is being done. */
  printPath(path: string): void {
    this.#progress.clear();
    this.#terminal.err(`${quoteName(path)}\n`);
  }
}

/**
 * The error at the end when entries are missing.
 *
 * @param what what became of them: `archived`
 * @param way what else to say of a way out
 */
export function partialError(
  count: number,
  what: string,
  way: { readonly hint?: string | undefined; readonly option?: string | undefined } = {},
): StateError {
  const entries = count === 1 ? "1 problem" : `${count} problems`;
  return new StateError("partial", `Not everything was ${what}: ${entries}`, {
    hint: "What is missing is listed above; the rest is done" +
      (way.hint === undefined ? "" : `. ${way.hint}`),
    option: way.option,
  });
}
