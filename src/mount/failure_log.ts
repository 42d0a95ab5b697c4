/**
 * A worker's way to say that something went wrong.
 *
 * @module
 */

import type { WorkerMessage } from "./worker_protocol.ts";

const WINDOW_MS = 1000;
const MESSAGES_PER_WINDOW = 20;

/** Sends messages to the main isolate, at most {@link MESSAGES_PER_WINDOW} a second. */
export class FailureLog {
  readonly #index: number;
  readonly #post: (message: WorkerMessage) => void;
  #windowStart = 0;
  #sent = 0;
  #suppressed = 0;

  constructor(index: number, post: (message: WorkerMessage) => void) {
    this.#index = index;
    this.#post = post;
  }

  report(message: string): void {
    const now = performance.now();
    if (now - this.#windowStart > WINDOW_MS) {
      this.#windowStart = now;
      this.#sent = 0;
    }
    if (++this.#sent > MESSAGES_PER_WINDOW) {
      this.#suppressed++;
      return;
    }
    this.#post({ type: "log", index: this.#index, message, suppressed: this.#suppressed });
    this.#suppressed = 0;
  }
}
