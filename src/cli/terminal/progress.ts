/**
 * Counts of entries and bytes, as a line on the terminal.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { StatusLine } from "./status_line.ts";
import type { Terminal } from "./terminal.ts";

/** Counts entries and bytes, and shows them now and then. */
export class Progress extends StatusLine {
  readonly #verb: string;
  #entries = 0;
  #bytes = 0;

  /** `verb` is what is being done: `Copied`. */
  constructor(terminal: Terminal, verb: string) {
    super(terminal, performance.now());
    this.#verb = verb;
  }

  /** One more entry is done. */
  addEntry(): void {
    this.set(this.#entries + 1, this.#bytes);
  }

  /** So many bytes more are done. */
  addBytes(count: number): void {
    this.set(this.#entries, this.#bytes + count);
  }

  /** So much is done in all. */
  set(entries: number, bytes: number): void {
    this.#entries = entries;
    this.#bytes = bytes;
    this.show(() => `${this.#verb} ${entries} entries, ${formatHumanBytes(bytes)}`);
  }
}
