/**
 * A line on the terminal that says how far something is. Without a terminal it says nothing.
 *
 * @module
 */

import type { Terminal } from "./terminal.ts";

const INTERVAL_MS = 100;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/**
 * Counts entries and bytes, and shows them now and then. Must be disposed of: the line goes away
 * again.
 */
export class Progress implements Disposable {
  readonly #terminal: Terminal;
  readonly #verb: string;
  readonly #isShown: boolean;
  #entries = 0;
  #bytes = 0;
  #shownAtMs: number;
  #hasLine = false;

  /** `verb` is what is being done: `Copied`. */
  constructor(terminal: Terminal, verb: string) {
    this.#terminal = terminal;
    this.#verb = verb;
    this.#isShown = terminal.isWatched;
    this.#shownAtMs = performance.now();
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
    if (!this.#isShown) return;
    const now = performance.now();
    if (now - this.#shownAtMs < INTERVAL_MS) return;
    this.#shownAtMs = now;
    this.#hasLine = true;
    this.#terminal.err(`\r\x1b[K${this.#verb} ${entries} entries, ${formatBytes(bytes)}`);
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (this.#hasLine) this.#terminal.err("\r\x1b[K");
    this.#hasLine = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

/** `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
