/**
 * Output of many short lines in few writes.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { OutputClosed, type Terminal } from "./terminal.ts";

const LENGTH_MAX = 1 << 16;

/**
 * Collects text and prints it in large parts, at the latest when it is disposed of. Names keep
 * their bytes.
 */
export class BufferedOutput implements Disposable {
  readonly #terminal: Terminal;
  #parts: string[] = [];
  #length = 0;
  #hasFailed = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Prints `text` sooner or later. @throws {OutputClosed} @throws {OsError} */
  write(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
    if (this.#length >= LENGTH_MAX) this.flush();
  }

  /** Prints what has been collected. @throws {OutputClosed} @throws {OsError} */
  flush(): void {
    if (this.#length === 0) return;
    const text = this.#parts.join("");
    this.#parts = [];
    this.#length = 0;
    if (this.#hasFailed) return;
    // A failure ends the command, which may come back here with what is left.
    this.#hasFailed = true;
    this.#terminal.outBytes(encodeFileName(text));
    this.#hasFailed = false;
  }

  [Symbol.dispose](): void {
    try {
      this.flush();
    } catch (error) {
      // Nothing would come after it that could be left out.
      if (!(error instanceof OutputClosed)) throw error;
    }
  }
}
