/**
 * Numbers that look random and are the same in every run with the same seed.
 *
 * @module
 */

/** A small generator; good enough to pick steps and make content. */
export class Random {
  #state = 0x9e3779b9;

  /** Equal seeds give equal sequences; the order of the seeds matters. */
  constructor(...seeds: readonly number[]) {
    for (const seed of seeds) this.#state = (Math.imul(this.next() ^ seed, 0x85ebca6b) + 1) >>> 0;
  }

  /** An integer from 0 to 2^32 − 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  }

  /** An integer from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() / 0x1_0000_0000 * (max - min + 1));
  }

  /** Whether something that happens once in `count` times happens now. */
  oneIn(count: number): boolean {
    return this.between(1, count) === 1;
  }

  /** One of several values. */
  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.between(0, values.length - 1)];
    if (value === undefined) throw new RangeError("Cannot pick: there is nothing to pick from");
    return value;
  }

  /** Bytes that do not compress. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(size / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.next();
    return new Uint8Array(words.buffer, 0, size);
  }
}
