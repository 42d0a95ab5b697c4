/**
 * Checks a directory's goodbye table against what the directory was seen to hold.
 *
 * @module
 */

import type { RandomInput } from "./random_input.ts";
import { filenameHash, hashFileName } from "../format/filename_hash.ts";
import {
  compareHashes,
  GOODBYE_ITEM_SIZE,
  type GoodbyeItem,
  isGoodbyeTail,
  visitInOrder,
} from "../format/goodbye.ts";
import { HEADER_SIZE } from "../format/item.ts";

/** What is wrong with a table. */
export interface TableObjection {
  readonly code: string;
  readonly message: string;
}

/** A directory while its content is read in order. */
export class SeenDirectory {
  /** Path for messages. */
  readonly path: string;
  /** Offset of its FILENAME header; that of the ENTRY header for the root. */
  readonly start: number;
  /** Offset of its ENTRY header. */
  readonly entryOffset: number;
  readonly #hashHighs: number[] = [];
  readonly #hashLows: number[] = [];
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  /** Payload in the other stream, which an item's size may count or not. */
  readonly #payloadSizes: number[] = [];
  readonly #types: string[] = [];

  constructor(path: string, start: number, entryOffset: number) {
    this.path = path;
    this.start = start;
    this.entryOffset = entryOffset;
  }

  /** Notes a child when it is complete. */
  add(name: string, kind: string, start: number, end: number, payloadSize: number): void {
    hashFileName(name);
    this.#hashHighs.push(filenameHash.high);
    this.#hashLows.push(filenameHash.low);
    this.#starts.push(start);
    this.#sizes.push(end - start);
    this.#payloadSizes.push(payloadSize);
    this.#types.push(kind);
  }

  /** Number of children. */
  get count(): number {
    return this.#starts.length;
  }

  /** Index of the child that starts at `start`, or -1. */
  indexOf(start: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const value = this.#starts[middle]!;
      if (value === start) return middle;
      if (value < start) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Why an item does not speak truly of child `index`, or undefined. */
  itemObjection(item: GoodbyeItem, index: number): string | undefined {
    const hashes = [this.#hashHighs[index]!, this.#hashLows[index]!] as const;
    if (compareHashes(item.hashHigh, item.hashLow, ...hashes) !== 0) {
      return "the hash of an item is not that of its name";
    }
    const size = this.#sizes[index]!;
    const isSize = item.size === size || item.size === size + this.#payloadSizes[index]!;
    return isSize ? undefined : `the size of an item is ${item.size} instead of ${size}`;
  }

  /**
   * Pairs of children with the same hash, as kinds and offsets: to be looked at for equal names.
   */
  *sharedHashes(): Generator<readonly [SharedHash, SharedHash]> {
    const highs = this.#hashHighs;
    const lows = this.#hashLows;
    const order = Uint32Array.from(highs, (_, index) => index)
      .sort((a, b) => compareHashes(highs[a]!, lows[a]!, highs[b]!, lows[b]!) || a - b);
    for (let i = 1; i < order.length; i++) {
      const [first, second] = [order[i - 1]!, order[i]!];
      if (highs[first] === highs[second] && lows[first] === lows[second]) {
        yield [this.#shared(first), this.#shared(second)];
      }
    }
  }

  #shared(index: number): SharedHash {
    return { kind: this.#types[index]!, start: this.#starts[index]! };
  }
}

/** A child that has the same hash as another. */
export interface SharedHash {
  readonly kind: string;
  readonly start: number;
}

/**
 * Why a table is not the right one for `directory`, or undefined.
 *
 * @param offset of the GOODBYE header
 * @param contentSize what that header says, all there
 * @param tailTargets what the tail may refer to
 * @param parents the directories around this one
 */
export function tableObjection(
  random: RandomInput,
  directory: SeenDirectory,
  offset: number,
  contentSize: number,
  tailTargets: readonly number[],
  parents: readonly SeenDirectory[],
): TableObjection | undefined {
  if (contentSize % GOODBYE_ITEM_SIZE !== 0) {
    return { code: "bad-size", message: `content of ${contentSize} bytes` };
  }
  if (contentSize === 0) return wrong("it has no tail");
  const table = { offset };
  const itemCount = contentSize / GOODBYE_ITEM_SIZE - 1;
  const tail = random.tableItem(table, itemCount);
  if (!isGoodbyeTail(tail)) return wrong("its tail marker is missing");
  if (tail.size !== contentSize + HEADER_SIZE) return wrong(`its tail says a size of ${tail.size}`);
  if (!tailTargets.includes(offset - tail.offset)) {
    return wrong(`its tail refers to offset ${offset - tail.offset}`);
  }
  return itemsObjection(random, directory, offset, itemCount, parents);
}

function itemsObjection(
  random: RandomInput,
  directory: SeenDirectory,
  offset: number,
  itemCount: number,
  parents: readonly SeenDirectory[],
): TableObjection | undefined {
  const { count } = directory;
  const isListed = new Uint8Array(count);
  let objection: TableObjection | undefined;
  let previous: GoodbyeItem | undefined;
  // More items than children are wrong anyway: no need to look at what a hostile size makes of
  // them.
  visitInOrder(Math.min(itemCount, count + 1), (position) => {
    if (objection !== undefined) return;
    const item = random.tableItem({ offset }, position);
    const start = offset - item.offset;
    const index = directory.indexOf(start);
    if (index < 0) {
      objection = strayObjection(start, [directory, ...parents]);
    } else {
      const reason = isListed[index] === 1
        ? "an entry is listed twice"
        : directory.itemObjection(item, index) ?? orderObjection(previous, item);
      if (reason !== undefined) objection = wrong(reason);
      isListed[index] = 1;
    }
    previous = item;
  });
  if (objection !== undefined || itemCount === count) return objection;
  return wrong(`it lists ${itemCount} of ${count} entries`);
}

function orderObjection(previous: GoodbyeItem | undefined, item: GoodbyeItem): string | undefined {
  const isSorted = previous === undefined ||
    compareHashes(previous.hashHigh, previous.hashLow, item.hashHigh, item.hashLow) <= 0;
  return isSorted ? undefined : "its items are not in the order of a search tree";
}

function strayObjection(start: number, around: readonly SeenDirectory[]): TableObjection {
  const isCyclic = around.some((directory) => directory.path !== "/" && directory.start === start);
  if (!isCyclic) return wrong(`an item refers to offset ${start}, where no entry of it is`);
  return { code: "cyclic-goodbye", message: "it lists a directory that it is part of" };
}

function wrong(message: string): TableObjection {
  return { code: "bad-goodbye", message };
}
