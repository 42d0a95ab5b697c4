/**
 * A metadata stream read at random, a page at a time: headers, names and table items are small and
 * near each other.
 *
 * @module
 */

import { isDamage } from "#src/io/sound_read.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";

const PAGE_SIZE = 4096;

/** Enough for the table of a directory with 100,000 entries, and some of these. */
const PAGE_COUNT_MAX = 1024;

/** Below this a loop is quicker than a view. */
const LOOP_SIZE_MAX = 64;

/** Pages of a source that were used not long ago. */
export class PageCache {
  readonly #source: ByteSource;
  readonly #arena: NativeBuffer;
  readonly #slots = new Map<number, number>();
  /** Page in each slot; -1 when it is free. */
  readonly #pages: Float64Array;
  /** Whether a slot was used since the hand passed it. */
  readonly #isUsed: Uint8Array;
  #hand = 0;

  constructor(source: ByteSource, allocate: (size: number) => NativeBuffer) {
    this.#source = source;
    const count = Math.max(1, Math.min(PAGE_COUNT_MAX, Math.ceil(source.size / PAGE_SIZE)));
    this.#arena = allocate(count * PAGE_SIZE);
    this.#pages = new Float64Array(count).fill(-1);
    this.#isUsed = new Uint8Array(count);
  }

  /** Length of the stream. */
  get size(): number {
    return this.#source.size;
  }

  /**
   * Reads up to `size` bytes at `offset` into `target` from `start` on. @returns the count, short
   * only at the end
   */
  read(target: Uint8Array, start: number, size: number, offset: number): number {
    const wanted = Math.min(size, this.size - offset);
    let done = 0;
    while (done < wanted) {
      const page = Math.floor((offset + done) / PAGE_SIZE);
      const first = (offset + done) - page * PAGE_SIZE;
      const count = Math.min(wanted - done, PAGE_SIZE - first);
      const index = this.#find(page, first, count);
      copy(this.#arena.bytes, index, target, start + done, count);
      done += count;
    }
    return done;
  }

  /** Where in the arena a part of a page is. Beside what is damaged, that part alone is read. */
  #find(page: number, first: number, size: number): number {
    try {
      return this.#slotOf(page) * PAGE_SIZE + first;
    } catch (error) {
      if (!isDamage(error)) throw error;
      const index = this.#takeSlot() * PAGE_SIZE;
      const count = this.#source.readAt(this.#arena, index, size, page * PAGE_SIZE + first);
      if (count < size) throw error;
      return index;
    }
  }

  #slotOf(page: number): number {
    const known = this.#slots.get(page);
    if (known !== undefined) {
      this.#isUsed[known] = 1;
      return known;
    }
    const slot = this.#takeSlot();
    const start = slot * PAGE_SIZE;
    const offset = page * PAGE_SIZE;
    const size = Math.min(PAGE_SIZE, this.size - offset);
    const count = this.#source.readAt(this.#arena, start, size, offset);
    // A file that shrank since it was opened: what is gone reads as zeros, which no item begins
    // with.
    if (count < size) this.#arena.bytes.fill(0, start + count, start + size);
    this.#pages[slot] = page;
    this.#slots.set(page, slot);
    return slot;
  }

  /** A slot that is free now: one that was not used while the hand went round. */
  #takeSlot(): number {
    while (this.#isUsed[this.#hand] === 1) {
      this.#isUsed[this.#hand] = 0;
      this.#hand = (this.#hand + 1) % this.#pages.length;
    }
    const slot = this.#hand;
    this.#hand = (slot + 1) % this.#pages.length;
    const page = this.#pages[slot]!;
    if (page >= 0) this.#slots.delete(page);
    this.#pages[slot] = -1;
    return slot;
  }
}

function copy(
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
  count: number,
): void {
  if (count > LOOP_SIZE_MAX) {
    target.set(source.subarray(sourceStart, sourceStart + count), targetStart);
    return;
  }
  for (let i = 0; i < count; i++) target[targetStart + i] = source[sourceStart + i]!;
}
