/**
 * How much of something a peer may do: so much at once, more as time goes by or it is earned.
 *
 * @module
 */

/** A bucket of permits. */
export class Allowance {
  readonly #capacity: number;
  readonly #perSecond: number;
  #left: number;
  #atMs = performance.now();

  /** @param capacity at once @param perSecond how many come back */
  constructor(capacity: number, perSecond: number) {
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#left = capacity;
  }

  /** Takes one. @returns false when there was none */
  spend(): boolean {
    if (this.#left < 1) {
      const nowMs = performance.now();
      this.earn((nowMs - this.#atMs) / 1000 * this.#perSecond);
      this.#atMs = nowMs;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** Gives some back; never more than fit. */
  earn(count: number): void {
    this.#left = Math.min(this.#capacity, this.#left + count);
  }
}
