/**
 * Page indexes of many files in one piece of memory that never grows beyond its budget.
 *
 * The memory is a ring: a new index goes behind the one stored last and pushes out the oldest ones.
 * An index in use may be pushed out too and is then built again, once for each turn of the ring; in
 * return nothing is left to a garbage collector and nothing gets fragmented.
 *
 * In the memory an index is either *packed*, when its records follow one another in one stored file
 * (all that one backup alone has): 2 bytes a block for the length, and 4 for each group of 32
 * blocks for the position. Or it is *plain*: 8 bytes a block as in `format/page_map.ts`.
 *
 * @module
 */

import { PAYLOAD_SIZE_BITS, PAYLOAD_SIZE_MASK } from "./format/page_map.ts";
import { RECORD_HEADER_SIZE } from "./format/page_stream.ts";

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

/** Fixed-size memory for indexes, by number of the file. */
export class PageIndexCache {
  readonly #budgetWords: number;
  #words = new Uint32Array(0);
  #halves = new Uint16Array(0);
  /** By file: its place + 1, or 0. */
  readonly #places: Uint32Array;
  #count = 0;
  #usedWords = 0;
  /** Where the next index goes. */
  #head = 0;
  /** The oldest index; from here on to the head, or to the end and on from 0. */
  #tail = 0;
  /** End of the last index before 0; none while the tail is below the head. */
  #end = Infinity;

  /** Files have numbers up to `fileMax`. */
  constructor(budgetBytes: number, fileMax: number) {
    this.#budgetWords = Math.floor(budgetBytes / 4);
    this.#places = new Uint32Array(fileMax + 1);
  }

  /** Indexes in memory. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of these. */
  get bytes(): number {
    return 4 * this.#usedWords;
  }

  /** Whether the index of a file is here. */
  has(file: number): boolean {
    return this.#places[file] !== 0;
  }

  /**
   * Stores the index of a file that has none here.
   *
   * @param index two words for each of `blockCount` blocks, as `mergePageMap` enters them
   */
  set(file: number, index: Uint32Array, blockCount: number): void {
    const layer = commonLayer(index, blockCount);
    if (layer < 0) {
      const place = this.#reserve(file, HEADER_WORDS + 2 * blockCount);
      this.#words[place + Header.FORM] = Form.PLAIN;
      this.#words.set(index.subarray(0, 2 * blockCount), place + HEADER_WORDS);
      return;
    }
    const groupCount = Math.ceil(blockCount / GROUP_BLOCKS);
    const place = this.#reserve(file, HEADER_WORDS + groupCount + Math.ceil(blockCount / 2));
    this.#words[place + Header.FORM] = (layer << 1) | Form.PACKED;
    const lengths = 2 * (place + HEADER_WORDS + groupCount);
    let position = 0;
    for (let block = 0; block < blockCount; block++) {
      const length = index[2 * block + 1]! & PAYLOAD_SIZE_MASK;
      if (block % GROUP_BLOCKS === 0) {
        this.#words[place + HEADER_WORDS + (block >> GROUP_BITS)] = position;
      }
      this.#halves[lengths + block] = length;
      if (length !== 0) position += RECORD_HEADER_SIZE + length;
    }
  }

  /**
   * Writes the index of blocks `block` to `blockEnd` (exclusive) of a file that is here to the
   * start of `target`.
   */
  get(
    file: number,
    blockCount: number,
    block: number,
    blockEnd: number,
    target: Uint32Array,
  ): void {
    const place = this.#places[file]! - 1;
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

  /** Lets everything go, the memory too. */
  clear(): void {
    this.#allocate(0);
  }

  /** Makes room for so many words. @returns the place */
  #reserve(file: number, size: number): number {
    // The first index of all; or one that is larger than the whole budget.
    if (size > this.#words.length) this.#allocate(Math.max(size, this.#budgetWords));
    if (this.#head + size > this.#words.length) {
      this.#pushOut(this.#words.length);
      this.#end = this.#head;
      this.#head = 0;
    }
    const place = this.#head;
    this.#pushOut(place + size);
    if (this.#count === 0) {
      this.#tail = place;
      this.#end = Infinity;
    }
    this.#head += size;
    this.#usedWords += size;
    this.#words[place + Header.SIZE] = size;
    this.#words[place + Header.FILE] = file;
    this.#places[file] = place + 1;
    this.#count += 1;
    return place;
  }

  /** Forgets the indexes that begin between the head and `end`: the oldest ones. */
  #pushOut(end: number): void {
    while (this.#count > 0 && this.#tail >= this.#head && this.#tail < end) {
      const size = this.#words[this.#tail + Header.SIZE]!;
      this.#places[this.#words[this.#tail + Header.FILE]!] = 0;
      this.#count -= 1;
      this.#usedWords -= size;
      this.#tail += size;
      if (this.#tail === this.#end) {
        this.#tail = 0;
        this.#end = Infinity;
      }
    }
  }

  #allocate(words: number): void {
    const memory = new ArrayBuffer(4 * words);
    this.#words = new Uint32Array(memory);
    this.#halves = new Uint16Array(memory);
    this.#places.fill(0);
    this.#count = 0;
    this.#usedWords = 0;
    this.#head = 0;
    this.#tail = 0;
    this.#end = Infinity;
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
