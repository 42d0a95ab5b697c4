/**
 * A time-out for waiting that progress restarts, but not a slow drip.
 *
 * @module
 */

/** So much progress is worth a millisecond: who is slower for long runs out of time. */
const BYTES_PER_MS = 1;

/** Measures only while somebody waits. Costs no timer of its own per wait. */
export class Deadline {
  readonly #timeoutMs: number;
  readonly #onExpired: () => void;
  #leftMs: number;
  /** When the waiting began, or undefined. */
  #sinceMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param onExpired is called once at most */
  constructor(timeoutMs: number, onExpired: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#leftMs = timeoutMs;
    this.#onExpired = onExpired;
  }

  /** Somebody begins to wait, or goes on. */
  wait(): void {
    if (this.#isClosed || this.#sinceMs !== undefined) return;
    this.#sinceMs = performance.now();
    this.#timer ??= setTimeout(this.#onTimer, this.#leftMs);
  }

  /** What is waited for has come in part. */
  progress(bytes: number): void {
    if (this.#sinceMs !== undefined) {
      const nowMs = performance.now();
      this.#leftMs -= nowMs - this.#sinceMs;
      this.#sinceMs = nowMs;
    }
    this.#leftMs = Math.min(this.#timeoutMs, Math.max(this.#leftMs, 0) + bytes / BYTES_PER_MS);
  }

  /** Nobody waits any more, for now. */
  rest(): void {
    this.progress(0);
    this.#sinceMs = undefined;
  }

  /** For ever. */
  close(): void {
    this.#isClosed = true;
    this.#sinceMs = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #onTimer = () => {
    this.#timer = undefined;
    if (this.#sinceMs === undefined) return;
    const leftMs = this.#leftMs - (performance.now() - this.#sinceMs);
    if (leftMs > 0) {
      this.#timer = setTimeout(this.#onTimer, Math.ceil(leftMs));
    } else {
      this.close();
      this.#onExpired();
    }
  };
}
