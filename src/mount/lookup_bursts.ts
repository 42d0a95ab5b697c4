/**
 * Notices programs that ask for one name of a directory after the other.
 *
 * @module
 */

/** A power of two. */
const SLOT_COUNT = 256;

/** Look-ups in a directory after which more of them are expected. */
const BURST_LENGTH = 2;

/** Further look-ups after which it seems that the first notice was of no use. */
const REPEAT_AFTER = 250;

/** Counts look-ups by directory; of directories that share a slot, it knows the last one. */
export class LookupBursts {
  readonly #ids = new Float64Array(SLOT_COUNT);
  readonly #counts = new Uint8Array(SLOT_COUNT);

  /** Counts a look-up in directory `id` (not 0). @returns whether a burst is noticed just now */
  note(id: number): boolean {
    const slot = (id ^ id >>> 8 ^ id >>> 16) & (SLOT_COUNT - 1);
    if (this.#ids[slot] !== id) {
      this.#ids[slot] = id;
      this.#counts[slot] = 0;
    }
    const count = this.#counts[slot]! + 1;
    this.#counts[slot] = count >= REPEAT_AFTER ? 0 : count;
    return count === BURST_LENGTH;
  }
}
