/**
 * What cannot be read while entries are looked at: named once, and told by the exit code.
 *
 * @module
 */

import { toRecord } from "#src/errors.ts";
import type { EntryFormat } from "../exit_code.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { partialError, ProblemOutput } from "./problem_output.ts";

/** Prints damage, each with the path where it was met. */
export class DamageOutput {
  readonly #problems: ProblemOutput;
  #count = 0;

  constructor(terminal: Terminal, format: EntryFormat) {
    const isText = format === "text";
    this.#problems = new ProblemOutput(terminal, isText ? "text" : "json", { clear() {} });
  }

  /** Number of damages so far. */
  get count(): number {
    return this.#count;
  }

  /** Prints one. */
  print(path: string, damage: Error): void {
    this.#count++;
    const { message } = damage;
    this.#problems.print({ path, severity: "error", code: toRecord(damage).code, message });
  }

  /** Ends the work. @throws {StateError} `partial` when there was damage */
  finish(done: string): void {
    if (this.#count > 0) throw partialError(this.#count, done);
  }
}
