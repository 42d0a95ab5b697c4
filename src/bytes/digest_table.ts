/**
 * Numbers by digest, in far less memory than a map of strings.
 *
 * @module
 */

const DIGEST_WORDS = 8;
const SLOT_BYTES = 4 * (DIGEST_WORDS + 1);
const CAPACITY_FIRST = 1024;
/** Above this share of slots in use, searches get long. */
const LOAD_MAX = 0.7;

/** A table as plain values, which may be moved to another thread; see {@link DigestTable.take}. */
export interface DigestTableParts {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly values: Uint32Array<ArrayBuffer>;
  readonly count: number;
}

/**
 * A hash table from 32-byte digests to numbers from 1 to 2^32 − 1. When it would outgrow its budget
 * it forgets everything: only for what can be found out again.
 */
export class DigestTable {
  readonly #capacityMax: number;
  #words: Uint32Array<ArrayBuffer>;
  #values: Uint32Array<ArrayBuffer>;
  #count = 0;

  /**
   * `budgetBytes` holds while the table grows, too; with Infinity it never forgets anything.
   */
  constructor(budgetBytes: number) {
    // While it grows there are the old table and one of twice the size.
    const slots = Math.max(CAPACITY_FIRST, Math.floor(budgetBytes / (1.5 * SLOT_BYTES)));
    this.#capacityMax = 2 ** Math.floor(Math.log2(slots));
    [this.#words, this.#values] = tables(CAPACITY_FIRST);
  }

  /** A table from the {@link take} of another one. It never forgets anything. */
  static of({ words, values, count }: DigestTableParts): DigestTable {
    const table = new DigestTable(Infinity);
    table.#words = words;
    table.#values = values;
    table.#count = count;
    return table;
  }

  /** What the table is made of; it must not be used any more. */
  take(): DigestTableParts {
    return { words: this.#words, values: this.#values, count: this.#count };
  }

  /** Digests that are remembered. */
  get count(): number {
    return this.#count;
  }

  /** The number of the digest at `offset`; 0 when there is none. */
  get(bytes: Uint8Array, offset: number): number {
    return this.#values[this.#slotOf(bytes, offset)]!;
  }

  /** Sets the number of the digest at `offset`. */
  set(bytes: Uint8Array, offset: number, value: number): void {
    let slot = this.#slotOf(bytes, offset);
    if (this.#values[slot] === 0) {
      if (this.#count >= LOAD_MAX * this.#values.length) {
        this.#grow();
        slot = this.#slotOf(bytes, offset);
      }
      this.#count++;
      const base = slot * DIGEST_WORDS;
      for (let i = 0; i < DIGEST_WORDS; i++) {
        this.#words[base + i] = wordAt(bytes, offset + 4 * i);
      }
    }
    this.#values[slot] = value;
  }

  /** The slot that has the digest, or the free one where it belongs. */
  #slotOf(bytes: Uint8Array, offset: number): number {
    const words = this.#words;
    const values = this.#values;
    const mask = values.length - 1;
    // A digest is as good as random already. Its first bytes name the chunk's directory and are no
    // use in one of those.
    let slot = wordAt(bytes, offset + 4) & mask;
    while (values[slot] !== 0) {
      const base = slot * DIGEST_WORDS;
      let i = 0;
      while (i < DIGEST_WORDS && words[base + i] === wordAt(bytes, offset + 4 * i)) i++;
      if (i === DIGEST_WORDS) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const words = this.#words;
    const values = this.#values;
    this.#count = 0;
    if (values.length >= this.#capacityMax) {
      values.fill(0);
      return;
    }
    [this.#words, this.#values] = tables(2 * values.length);
    const bytes = new Uint8Array(words.buffer);
    for (let slot = 0; slot < values.length; slot++) {
      if (values[slot] !== 0) this.set(bytes, slot * 4 * DIGEST_WORDS, values[slot]!);
    }
  }
}

function tables(capacity: number): [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>] {
  return [new Uint32Array(capacity * DIGEST_WORDS), new Uint32Array(capacity)];
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | bytes[offset + 1]! << 8 | bytes[offset + 2]! << 16 |
    bytes[offset + 3]! << 24) >>> 0;
}
