/**
 * Page indexes of many files in one piece of shared memory that never grows beyond its budget: what
 * one thread has built, all have.
 *
 * The memory is a ring: a new index goes behind the one stored last and pushes out the oldest ones.
 * An index in use may be pushed out too and is then built again, once for each turn of the ring; in
 * return nothing is left to a garbage collector and nothing gets fragmented. All is read and
 * changed under one lock, for some microseconds. A thread that ends with it ends the sharing: what
 * is in the memory may be half written, so nothing is there any more for anybody.
 *
 * In the memory an index is either *packed*, when its records follow one another in one stored file
 * (all that one backup alone has): 2 bytes a block for the length, and 4 for each group of 32
 * blocks for the position. Or it is *plain*: 8 bytes a block as in `format/page_map.ts`.
 *
 * @module
 */

import { acquireLock, breakLock, releaseLock } from "#src/threads/lock.ts";
import { PAYLOAD_SIZE_BITS, PAYLOAD_SIZE_MASK } from "./format/page_map.ts";
import { RECORD_HEADER_SIZE } from "./format/page_stream.ts";
import type { PageCounters } from "./page_counters.ts";

/** Words before an index. */
const Header = {
  /** Words of the index with these. */
  SIZE: 0,
  FILE: 1,
  FORM: 2,
} as const;
const HEADER_WORDS = 3;

/** A packed index has its layer above the form's bit. */
const Form = { PLAIN: 0, PACKED: 1 } as const;

const GROUP_BITS = 5;
const GROUP_BLOCKS = 1 << GROUP_BITS;

/** Cells at the start of the memory; behind them is the place + 1 of each file, or 0. */
const Cell = {
  LOCK: 0,
  /** Indexes in memory. */
  COUNT: 1,
  /** Where the next index goes. */
  HEAD: 2,
  /** The oldest index; from here on to the head, or to the end and on from 0. */
  TAIL: 3,
  /** End of the last index before 0, while the tail is above the head. */
  END: 4,
} as const;
const PLACES = 5;

/** Nobody who lives holds the lock for so long. */
const LOCK_TIMEOUT_MS = 5000;

/**
 * Makes memory for the threads that share it. Only what is used of it takes memory.
 *
 * @param budgetBytes for indexes; one that is larger is not kept
 * @param fileMax files have numbers up to this
 */
export function createIndexMemory(budgetBytes: number, fileMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (PLACES + fileMax + 1 + Math.floor(budgetBytes / 4)));
}

/** The memory for indexes, by number of the file, as one thread sees it. */
export class PageIndexCache {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #counters: PageCounters;

  /**
   * @param memory of {@link createIndexMemory}
   * @param fileMax what that was made with
   * @param counters of this thread
   */
  constructor(memory: SharedArrayBuffer, fileMax: number, counters: PageCounters) {
    this.#counters = counters;
    const start = 4 * (PLACES + fileMax + 1);
    this.#cells = new Int32Array(memory);
    this.#words = new Uint32Array(memory, start);
    this.#halves = new Uint16Array(memory, start);
  }

  /**
   * Stores the index of a file, unless another thread has, or it has no room.
   *
   * @param index two words for each of `blockCount` blocks, as `mergePageMap` enters them
   */
  set(file: number, index: Uint32Array, blockCount: number): void {
    const layer = commonLayer(index, blockCount);
    const groupCount = Math.ceil(blockCount / GROUP_BLOCKS);
    const size = HEADER_WORDS +
      (layer < 0 ? 2 * blockCount : groupCount + Math.ceil(blockCount / 2));
    if (size > this.#words.length || !this.#lock()) return;
    if (this.#cells[PLACES + file] === 0) {
      const place = this.#reserve(file, size);
      if (layer < 0) this.#enter(place, index, blockCount);
      else this.#enterPacked(place, index, blockCount, layer);
    }
    this.#unlock();
  }

  #enter(place: number, index: Uint32Array, blockCount: number): void {
    this.#words[place + Header.FORM] = Form.PLAIN;
    this.#words.set(index.subarray(0, 2 * blockCount), place + HEADER_WORDS);
  }

  #enterPacked(place: number, index: Uint32Array, blockCount: number, layer: number): void {
    this.#words[place + Header.FORM] = (layer << 1) | Form.PACKED;
    const groups = place + HEADER_WORDS;
    const lengths = 2 * (groups + Math.ceil(blockCount / GROUP_BLOCKS));
    let position = 0;
    for (let block = 0; block < blockCount; block++) {
      const length = index[2 * block + 1]! & PAYLOAD_SIZE_MASK;
      if (block % GROUP_BLOCKS === 0) this.#words[groups + (block >> GROUP_BITS)] = position;
      this.#halves[lengths + block] = length;
      if (length !== 0) position += RECORD_HEADER_SIZE + length;
    }
  }

  /**
   * Writes the index of blocks `block` to `blockEnd` (exclusive) of a file to the start of
   * `target`.
   *
   * @returns false when the file's index is not here
   */
  get(
    file: number,
    blockCount: number,
    block: number,
    blockEnd: number,
    target: Uint32Array,
  ): boolean {
    if (!this.#lock()) return false;
    const place = this.#cells[PLACES + file]! - 1;
    if (place >= 0) this.#copy(place, blockCount, block, blockEnd, target);
    this.#unlock();
    return place >= 0;
  }

  #copy(
    place: number,
    blockCount: number,
    block: number,
    blockEnd: number,
    target: Uint32Array,
  ): void {
    const words = this.#words;
    const form = words[place + Header.FORM]!;
    if ((form & Form.PACKED) === 0) {
      const start = place + HEADER_WORDS + 2 * block;
      const count = 2 * (blockEnd - block);
      for (let word = 0; word < count; word++) target[word] = words[start + word]!;
      return;
    }
    const halves = this.#halves;
    const layerBits = (form >>> 1) << PAYLOAD_SIZE_BITS;
    const groups = place + HEADER_WORDS;
    const lengths = 2 * (groups + Math.ceil(blockCount / GROUP_BLOCKS));
    const group = block >> GROUP_BITS;
    let position = words[groups + group]!;
    for (let each = group << GROUP_BITS; each < blockEnd; each++) {
      const length = halves[lengths + each]!;
      if (each >= block) {
        target[2 * (each - block)] = length === 0 ? 0 : position;
        target[2 * (each - block) + 1] = length === 0 ? 0 : layerBits | length;
      }
      if (length !== 0) position += RECORD_HEADER_SIZE + length;
    }
  }

  /** @returns false when a thread has ended with the lock */
  #lock(): boolean {
    if (acquireLock(this.#cells, Cell.LOCK, LOCK_TIMEOUT_MS)) return true;
    breakLock(this.#cells, Cell.LOCK);
    return false;
  }

  #unlock(): void {
    releaseLock(this.#cells, Cell.LOCK);
  }

  /** Makes room for so many words, fewer than there are. @returns the place */
  #reserve(file: number, size: number): number {
    const cells = this.#cells;
    if (cells[Cell.HEAD]! + size > this.#words.length) {
      this.#pushOut(this.#words.length);
      cells[Cell.END] = cells[Cell.HEAD]!;
      cells[Cell.HEAD] = 0;
    }
    const place = cells[Cell.HEAD]!;
    this.#pushOut(place + size);
    if (cells[Cell.COUNT] === 0) {
      cells[Cell.TAIL] = place;
      cells[Cell.END] = 0;
    }
    cells[Cell.HEAD] = place + size;
    cells[Cell.COUNT]! += 1;
    this.#counters.addIndexes(1, 4 * size);
    this.#words[place + Header.SIZE] = size;
    this.#words[place + Header.FILE] = file;
    cells[PLACES + file] = place + 1;
    return place;
  }

  /** Forgets the indexes that begin between the head and `end`: the oldest ones. */
  #pushOut(end: number): void {
    const cells = this.#cells;
    while (
      cells[Cell.COUNT]! > 0 && cells[Cell.TAIL]! >= cells[Cell.HEAD]! && cells[Cell.TAIL]! < end
    ) {
      const tail = cells[Cell.TAIL]!;
      const size = this.#words[tail + Header.SIZE]!;
      cells[PLACES + this.#words[tail + Header.FILE]!] = 0;
      cells[Cell.COUNT]! -= 1;
      this.#counters.addIndexes(-1, -4 * size);
      cells[Cell.TAIL] = tail + size;
      if (tail + size === cells[Cell.END]) {
        cells[Cell.TAIL] = 0;
        cells[Cell.END] = 0;
      }
    }
  }
}

/**
 * The layer of all records of an index when they follow one another from 0 on without gaps, else
 * -1.
 */
function commonLayer(index: Uint32Array, blockCount: number): number {
  let layer = -1;
  let next = 0;
  for (let block = 0; block < blockCount; block++) {
    const packed = index[2 * block + 1]!;
    if (packed === 0) continue;
    if (layer < 0) layer = packed >>> PAYLOAD_SIZE_BITS;
    if (packed >>> PAYLOAD_SIZE_BITS !== layer || index[2 * block] !== next) return -1;
    next += RECORD_HEADER_SIZE + (packed & PAYLOAD_SIZE_MASK);
  }
  return Math.max(layer, 0);
}
