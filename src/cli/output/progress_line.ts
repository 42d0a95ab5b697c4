/**
 * How far a long run is: a line on the terminal for people, events for programs.
 *
 * @module
 */

import type { Terminal } from "../terminal/terminal.ts";
import type { Output } from "./output.ts";

const LINE_INTERVAL_MS = 100;
const EVENT_INTERVAL_MS = 1000;
/** Of a terminal that does not say. */
const COLUMNS_DEFAULT = 80;

/** Something that is told now and then. */
export interface ProgressReport {
  /** For people. */
  readonly text: string;
  /** For programs; gets the type "progress". */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Tells how far something is, but not too often. Must be disposed of: the line goes away again. */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #output: Output;
  #toldAtMs = -Infinity;
  #hasLine = false;

  constructor(terminal: Terminal, output: Output) {
    this.#terminal = terminal;
    this.#output = output;
  }

  /** Tells what `report` makes, unless something was told just before. */
  show(report: () => ProgressReport): void {
    const { isJson } = this.#output;
    if (!isJson && !this.#terminal.isWatched) return;
    const now = performance.now();
    if (now - this.#toldAtMs < (isJson ? EVENT_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#toldAtMs = now;
    const { text, fields } = report();
    if (isJson) {
      this.#output.event({ type: "progress", ...fields });
    } else {
      this.#hasLine = true;
      // A line that the terminal folds could not be taken away again.
      const width = (this.#terminal.columns ?? COLUMNS_DEFAULT) - 1;
      this.#terminal.err(`\r\x1b[K${text.slice(0, width)}`);
    }
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
