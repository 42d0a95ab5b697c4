/**
 * A line on the terminal that says how far something is. Without a terminal there is none.
 *
 * @module
 */

import type { Terminal } from "./terminal.ts";

const INTERVAL_MS = 100;
/** Of a terminal that does not say. */
const COLUMNS_DEFAULT = 80;

/** The line. Must be disposed of: it goes away again. */
export class StatusLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #isShown: boolean;
  #shownAtMs: number;
  #hasLine = false;

  /** @param startMs when the line counts as last shown; -Infinity to show the first text at once */
  constructor(terminal: Terminal, startMs: number) {
    this.#terminal = terminal;
    this.#isShown = terminal.isWatched;
    this.#shownAtMs = startMs;
  }

  /** Shows what `makeText` returns, unless something was shown just before. */
  show(makeText: () => string): void {
    if (!this.#isShown) return;
    const now = performance.now();
    if (now - this.#shownAtMs < INTERVAL_MS) return;
    this.#shownAtMs = now;
    this.#hasLine = true;
    // A line that the terminal folds could not be removed again.
    const width = (this.#terminal.columns ?? COLUMNS_DEFAULT) - 1;
    this.#terminal.err(`\r\x1b[K${makeText().slice(0, width)}`);
  }

  /** Removes the line, so that something else can be printed. */
  clear(): void {
    if (this.#hasLine) this.#terminal.err("\r\x1b[K");
    this.#hasLine = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
