/**
 * How far a long run is: a line on the terminal for people, events for programs.
 *
 * @module
 */

import { StatusLine } from "../terminal/status_line.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Output } from "./output.ts";

const EVENT_INTERVAL_MS = 1000;

/** Progress at one moment. */
export interface ProgressReport {
  /** For people. */
  readonly text: string;
  /** For programs; gets the type "progress". */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Shows progress, not more often than anybody can read. Must be disposed of. */
export class ProgressLine implements Disposable {
  readonly #line: StatusLine;
  readonly #output: Output;
  #sentAtMs = -Infinity;

  constructor(terminal: Terminal, output: Output) {
    this.#line = new StatusLine(terminal, -Infinity);
    this.#output = output;
  }

  /** Shows what `report` returns, unless something was shown just before. */
  show(report: () => ProgressReport): void {
    if (!this.#output.isJson) return this.#line.show(() => report().text);
    const now = performance.now();
    if (now - this.#sentAtMs < EVENT_INTERVAL_MS) return;
    this.#sentAtMs = now;
    this.#output.event({ type: "progress", ...report().fields });
  }

  /** Removes the line, so that something else can be printed. */
  clear(): void {
    this.#line.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
