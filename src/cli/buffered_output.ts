/**
 * Output of many short lines in few writes.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { Terminal } from "./terminal.ts";

const LENGTH_MAX = 1 << 16;

/** Collects text and prints it in large parts, at the latest when it is disposed of. Names keep their bytes. */
export class BufferedOutput implements Disposable {
  readonly #terminal: Terminal;
  #parts: string[] = [];
  #length = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Prints `text` sooner or later. */
  write(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
    if (this.#length >= LENGTH_MAX) this.flush();
  }

  /** Prints what has been collected. */
  flush(): void {
    if (this.#length === 0) return;
    this.#terminal.outBytes(encodeFileName(this.#parts.join("")));
    this.#parts = [];
    this.#length = 0;
  }

  [Symbol.dispose](): void {
    this.flush();
  }
}
