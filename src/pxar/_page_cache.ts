/**
 * A metadata stream read at random, a page at a time: headers, names and table items are small and near each other.
 *
 * @module
 */

import { LruCache } from "#src/bytes/lru_cache.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";

const PAGE_SIZE = 8192;
const PAGE_COUNT_MAX = 128;

/** Pages of a source that were used last. */
export class PageCache {
  readonly #source: ByteSource;
  readonly #arena: NativeBuffer;
  readonly #freeSlots: number[] = Array.from({ length: PAGE_COUNT_MAX }, (_, slot) => slot);
  readonly #slots = new LruCache<number, number>(
    PAGE_COUNT_MAX - 1,
    (slot) => this.#freeSlots.push(slot),
  );

  constructor(source: ByteSource, allocate: (size: number) => NativeBuffer) {
    this.#source = source;
    this.#arena = allocate(PAGE_COUNT_MAX * PAGE_SIZE);
  }

  /** Length of the stream. */
  get size(): number {
    return this.#source.size;
  }

  /** Reads up to `size` bytes at `offset` into `target` from `start` on. @returns the count, short only at the end */
  read(target: Uint8Array, start: number, size: number, offset: number): number {
    const wanted = Math.min(size, this.size - offset);
    let done = 0;
    while (done < wanted) {
      const page = Math.floor((offset + done) / PAGE_SIZE);
      const first = (offset + done) - page * PAGE_SIZE;
      const count = Math.min(wanted - done, PAGE_SIZE - first);
      const index = this.#slotOf(page) * PAGE_SIZE + first;
      copy(this.#arena.bytes, index, target, start + done, count);
      done += count;
    }
    return Math.max(done, 0);
  }

  #slotOf(page: number): number {
    const known = this.#slots.get(page);
    if (known !== undefined) return known;
    const slot = this.#freeSlots.pop()!;
    const start = slot * PAGE_SIZE;
    const offset = page * PAGE_SIZE;
    const size = Math.min(PAGE_SIZE, this.size - offset);
    let count = 0;
    try {
      count = this.#source.readAt(this.#arena, start, size, offset);
    } catch (error) {
      this.#freeSlots.push(slot);
      throw error;
    }
    // A file that shrank since it was opened: what is gone reads as zeros, which no item begins with.
    this.#arena.bytes.fill(0, start + count, start + PAGE_SIZE);
    this.#slots.set(page, slot, 1);
    return slot;
  }
}

/** For a few bytes a loop is quicker than a view. */
function copy(
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
  count: number,
): void {
  if (count > 64) {
    target.set(source.subarray(sourceStart, sourceStart + count), targetStart);
    return;
  }
  for (let i = 0; i < count; i++) target[targetStart + i] = source[sourceStart + i]!;
}
