/**
 * Goodbye tables: what stands at the end of a directory so that a name is found in O(log n) reads.
 *
 * Items of 24 bytes, one for each child and a last one for the directory itself:
 *
 * | offset | size | child | tail |
 * |-------:|-----:|-------|------|
 * | 0 | 8 | hash of the name | tail marker |
 * | 8 | 8 | from the child's FILENAME header to the GOODBYE header | from the directory's ENTRY header to the GOODBYE header |
 * | 16 | 8 | from the child's FILENAME header to its end | size of the GOODBYE item with its header |
 *
 * The children are a complete binary search tree by hash: those of item i are at 2i+1 and 2i+2.
 *
 * @module
 */

import { readUint64, writeInt64 } from "./integers.ts";
import { encodeHeader, HEADER_SIZE, Item } from "./item.ts";

/** Size of an item of a table. */
export const GOODBYE_ITEM_SIZE = 24;

/** Size of a GOODBYE item without children. */
export const GOODBYE_SIZE_MIN = HEADER_SIZE + GOODBYE_ITEM_SIZE;

const TAIL_MARKER_HIGH = 0xef5eed5b;
const TAIL_MARKER_LOW = 0x753e1555;

/** An item of a table. `offset` and `size` are inexact above 2^53. */
export interface GoodbyeItem {
  readonly hashHigh: number;
  readonly hashLow: number;
  readonly offset: number;
  readonly size: number;
}

/** Reads an item. */
export function decodeGoodbyeItem(view: DataView, offset: number): GoodbyeItem {
  return {
    hashHigh: view.getUint32(offset + 4, true),
    hashLow: view.getUint32(offset, true),
    offset: readUint64(view, offset + 8),
    size: readUint64(view, offset + 16),
  };
}

/** Whether an item is a table's last one. */
export function isGoodbyeTail(item: GoodbyeItem): boolean {
  return item.hashHigh === TAIL_MARKER_HIGH && item.hashLow === TAIL_MARKER_LOW;
}

/** Size of a GOODBYE item for `count` children. */
export function goodbyeSize(count: number): number {
  return GOODBYE_SIZE_MIN + count * GOODBYE_ITEM_SIZE;
}

/**
 * Number of children in a GOODBYE item of `size` bytes, or undefined when it cannot have that size.
 */
export function goodbyeCount(size: number): number | undefined {
  const count = (size - GOODBYE_SIZE_MIN) / GOODBYE_ITEM_SIZE;
  return count >= 0 && Number.isSafeInteger(count) ? count : undefined;
}

/** Orders hashes as unsigned 64-bit numbers: negative when the first is smaller. */
export function compareHashes(
  firstHigh: number,
  firstLow: number,
  secondHigh: number,
  secondLow: number,
): number {
  return firstHigh !== secondHigh ? firstHigh - secondHigh : firstLow - secondLow;
}

/** The children of a directory that is being written. */
export class GoodbyeBuilder {
  readonly #hashHighs: number[] = [];
  readonly #hashLows: number[] = [];
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];

  /** Number of children. */
  get count(): number {
    return this.#starts.length;
  }

  /** Notes a child: the hash of its name, offset of its FILENAME header and its size. */
  add(hashHigh: number, hashLow: number, start: number, size: number): void {
    this.#hashHighs.push(hashHigh);
    this.#hashLows.push(hashLow);
    this.#starts.push(start);
    this.#sizes.push(size);
  }

  /**
   * The GOODBYE item, header included.
   *
   * @param offset where its header is going to be
   * @param directoryOffset what the tail refers to
   */
  encode(offset: number, directoryOffset: number): Uint8Array {
    const { count } = this;
    const size = goodbyeSize(count);
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    encodeHeader(view, 0, Item.GOODBYE, size - HEADER_SIZE);
    const sorted = this.#sortedByHash();
    let rank = 0;
    visitInOrder(count, (index) => {
      const child = sorted[rank++]!;
      const position = HEADER_SIZE + index * GOODBYE_ITEM_SIZE;
      view.setUint32(position, this.#hashLows[child]!, true);
      view.setUint32(position + 4, this.#hashHighs[child]!, true);
      writeInt64(view, position + 8, offset - this.#starts[child]!);
      writeInt64(view, position + 16, this.#sizes[child]!);
    });
    const tail = size - GOODBYE_ITEM_SIZE;
    view.setUint32(tail, TAIL_MARKER_LOW, true);
    view.setUint32(tail + 4, TAIL_MARKER_HIGH, true);
    writeInt64(view, tail + 8, offset - directoryOffset);
    writeInt64(view, tail + 16, size);
    return bytes;
  }

  #sortedByHash(): Uint32Array {
    const highs = this.#hashHighs;
    const lows = this.#hashLows;
    const order = Uint32Array.from(highs, (_, index) => index);
    return order.sort((a, b) => compareHashes(highs[a]!, lows[a]!, highs[b]!, lows[b]!));
  }
}

/**
 * Calls `visit` with the indices of a search tree of `count` items in the order of their hashes.
 */
export function visitInOrder(count: number, visit: (index: number) => void, index = 0): void {
  if (index >= count) return;
  visitInOrder(count, visit, 2 * index + 1);
  visit(index);
  visitInOrder(count, visit, 2 * index + 2);
}

/**
 * Looks for a hash in a table of `count` children. Several names can have the same hash, so
 * `accept` is asked about each item with it until it returns something.
 */
export function findInGoodbye<Found>(
  count: number,
  hashHigh: number,
  hashLow: number,
  readItem: (index: number) => GoodbyeItem,
  accept: (item: GoodbyeItem) => Found | undefined,
): Found | undefined {
  let index = 0;
  /** Right children below items with the hash but another name. */
  const pending: number[] = [];
  while (true) {
    while (index < count) {
      const item = readItem(index);
      const order = compareHashes(hashHigh, hashLow, item.hashHigh, item.hashLow);
      if (order === 0) {
        const found = accept(item);
        if (found !== undefined) return found;
        pending.push(2 * index + 2);
      }
      index = order > 0 ? 2 * index + 2 : 2 * index + 1;
    }
    const next = pending.pop();
    if (next === undefined) return undefined;
    index = next;
  }
}
