/**
 * How many requests to a client may be under way.
 *
 * @module
 */

/** As many requests as may be under way; whoever asks first is first. */
export class RequestSlots {
  readonly #line: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Waits until one more may be. */
  async take(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** One has ended. */
  give(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  /** Nobody waits any more. */
  giveAll(): void {
    for (const resolve of this.#line.splice(0)) resolve();
  }
}
