/**
 * A worker's way to say that something went wrong.
 *
 * @module
 */

import type { WorkerMessage } from "./worker_protocol.ts";

const WINDOW_MS = 1000;
const MESSAGES_PER_WINDOW = 20;
const NO_DESCRIPTORS_PAUSE_MS = 60_000;

/** Sends messages to the main isolate, at most {@link MESSAGES_PER_WINDOW} a second. */
export class FailureLog {
  readonly #index: number;
  readonly #post: (message: WorkerMessage) => void;
  #windowStart = 0;
  #sent = 0;
  #suppressed = 0;
  #noDescriptorsAt = -Infinity;
  #isReadOnlySaid = false;

  constructor(index: number, post: (message: WorkerMessage) => void) {
    this.#index = index;
    this.#post = post;
  }

  /**
   * Says once a minute that the process has as many files open as it may: that hits request after
   * request.
   */
  reportNoDescriptors(operation: string, errno: string, limit: number): void {
    const now = performance.now();
    if (now - this.#noDescriptorsAt < NO_DESCRIPTORS_PAUSE_MS) return;
    this.#noDescriptorsAt = now;
    this.report(
      `${operation}: ${errno}: the worker may have ${limit} files open, and has: ` +
        "raise the hard limit (ulimit -Hn) and mount again",
    );
  }

  /** Says that a change was refused with EROFS; from the second time on nothing. */
  reportReadOnly(): void {
    if (this.#isReadOnlySaid) return;
    this.#isReadOnlySaid = true;
    this.#post({ type: "read-only", index: this.#index });
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
