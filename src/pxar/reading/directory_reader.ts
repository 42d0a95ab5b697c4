/**
 * Lists a directory by its table, in the order of the archive.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { isMalformed } from "../malformed.ts";
import type { RandomInput } from "./random_input.ts";
import type { PxarChild, PxarTable } from "../archive_node.ts";
import { filenameHash, hashFileName } from "../format/filename_hash.ts";
import { compareHashes, type GoodbyeItem, visitInOrder } from "../format/goodbye.ts";
import { Item, itemName } from "../format/item.ts";

type ChildKind = PxarChild["entry"]["kind"];

/** Children of one directory; 28 bytes of memory each while it is listed. */
const CHILD_COUNT_MAX = 16_000_000;

/** Bytes of the smallest child: a FILENAME and a HARDLINK of one letter each. */
const CHILD_SIZE_MIN = 18 + 26;

const SMALL_COUNT_MAX = 1000;

/** What a listing needs of the archive. */
export interface ChildrenOptions {
  /** The child that an item of a table speaks of. */
  decode(table: PxarTable, item: GoodbyeItem): PxarChild;
  /** Finds out what a table would say that is damaged. */
  rebuild(reason: Error): PxarTable;
  /** Is told once, behind the last child, why there may be more. */
  onDamage(damage: Error): void;
}

/**
 * The children. A table lists what the directory holds without gaps, each name once: everything
 * else is refused, since something would be missing or there twice. Children that are damaged or
 * malformed themselves are passed over.
 */
export function* readChildren(
  random: RandomInput,
  stored: PxarTable,
  { decode, rebuild, onDamage }: ChildrenOptions,
): Generator<PxarChild, void, undefined> {
  let table = stored;
  let items: TableItems;
  try {
    items = readItems(random, table, decode);
  } catch (error) {
    if (stored.rebuilt !== undefined || !isDamage(error)) throw error;
    table = rebuild(error);
    items = readItems(random, table, decode);
  }
  if (!items.isSorted) fail(random, table, "its items are not in the order of a search tree");
  const seen = new Map<string, ChildKind>();
  let damage: Error | undefined;
  /** Where the next child begins; unknown behind one that cannot be read. */
  let expected: number | undefined = table.childrenOffset;
  for (let position = 0; position < items.order.length; position++) {
    const item = items.at(items.order[position]!);
    const start = table.offset - item.offset;
    const next = table.offset - items.distanceAt(position + 1);
    if (expected !== undefined && start > expected) failGap(random, table, expected);
    let child: PxarChild;
    try {
      child = decode(table, item);
      checkHash(random, table, child, item);
      // The table has no gap here: it is the entry that is too short.
      if (child.end < next && start + item.size === next) failGap(random, table, child.end);
    } catch (error) {
      // Where the table says where a child is, that says nothing of the others.
      const isInPlace = expected === undefined || start === expected;
      if (!isDamage(error) && !(isInPlace && isMalformed(error))) throw error;
      damage ??= error;
      expected = undefined;
      continue;
    }
    if (expected !== undefined && start < expected) {
      fail(random, table, `"${child.name}" overlaps another entry`);
    }
    if (items.isHashShared(item)) checkName(random, table, seen, child);
    expected = child.end;
    yield child;
  }
  if (expected !== undefined && expected !== table.offset) failGap(random, table, expected);
  damage ??= table.rebuilt?.damage;
  if (damage !== undefined) onDamage(damage);
}

function checkHash(
  random: RandomInput,
  table: PxarTable,
  { name }: PxarChild,
  { hashHigh, hashLow }: GoodbyeItem,
): void {
  hashFileName(name);
  if (filenameHash.high === hashHigh && filenameHash.low === hashLow) return;
  fail(random, table, `the hash of "${name}" is wrong`);
}

/** The items of a table, compactly. */
class TableItems {
  readonly #hashHighs: Uint32Array;
  readonly #hashLows: Uint32Array;
  readonly #offsets: Float64Array;
  readonly #sizes: Float64Array;
  /** Indices by place in the archive. */
  readonly order: Uint32Array;
  readonly #shared = new Set<string>();
  #isSorted = true;

  constructor(
    random: RandomInput,
    table: PxarTable,
    decode: ChildrenOptions["decode"],
  ) {
    const { count, childrenOffset } = table;
    this.#hashHighs = new Uint32Array(count);
    this.#hashLows = new Uint32Array(count);
    this.#offsets = new Float64Array(count);
    this.#sizes = new Float64Array(count);
    for (let index = 0; index < count; index++) {
      const item = random.tableItem(table, index);
      const start = table.offset - item.offset;
      // What is outside of the directory is the decoder's to refuse, before memory goes into all
      // the rest.
      if (!(start >= childrenOffset && start < table.offset)) decode(table, item);
      this.#hashHighs[index] = item.hashHigh;
      this.#hashLows[index] = item.hashLow;
      this.#offsets[index] = item.offset;
      this.#sizes[index] = item.size;
    }
    // The farthest from the table comes first.
    const offsets = this.#offsets;
    this.order = Uint32Array.from(offsets, (_, index) => index);
    this.order.sort((a, b) => offsets[b]! - offsets[a]!);
    this.#visitByHash();
  }

  at(index: number): GoodbyeItem {
    return {
      hashHigh: this.#hashHighs[index]!,
      hashLow: this.#hashLows[index]!,
      offset: this.#offsets[index]!,
      size: this.#sizes[index]!,
    };
  }

  /** How far before the table an item is, by its position in the archive; 0 behind the last. */
  distanceAt(position: number): number {
    return position < this.order.length ? this.#offsets[this.order[position]!]! : 0;
  }

  /** Whether several items have that hash. */
  isHashShared(item: GoodbyeItem): boolean {
    return this.#shared.size > 0 && this.#shared.has(hashKey(item));
  }

  /** Whether the items are a search tree; otherwise lookups would miss some of them. */
  get isSorted(): boolean {
    return this.#isSorted;
  }

  #visitByHash(): void {
    let previous: number | undefined;
    visitInOrder(this.order.length, (index) => {
      const order = previous === undefined ? -1 : this.#compare(previous, index);
      if (order > 0) this.#isSorted = false;
      if (order === 0) this.#shared.add(hashKey(this.at(index)));
      previous = index;
    });
  }

  #compare(first: number, second: number): number {
    return compareHashes(
      this.#hashHighs[first]!,
      this.#hashLows[first]!,
      this.#hashHighs[second]!,
      this.#hashLows[second]!,
    );
  }
}

function readItems(
  random: RandomInput,
  table: PxarTable,
  decode: ChildrenOptions["decode"],
): TableItems {
  const { count, childrenOffset, offset } = table;
  if (count > CHILD_COUNT_MAX) {
    throw new LimitError(`Cannot list a directory of ${count} entries`);
  }
  // Items of small tables are looked at in any case: they tell more of what is wrong.
  if (count > SMALL_COUNT_MAX && count * CHILD_SIZE_MIN > offset - childrenOffset) {
    fail(random, table, `it has ${count} items, more than the directory has room for`);
  }
  return new TableItems(random, table, decode);
}

function hashKey(item: GoodbyeItem): string {
  return `${item.hashHigh}:${item.hashLow}`;
}

/** `seen` has the names that share their hash with another one. */
function checkName(
  random: RandomInput,
  table: PxarTable,
  seen: Map<string, ChildKind>,
  { name, entry }: PxarChild,
): void {
  const known = seen.get(name);
  seen.set(name, entry.kind);
  if (known === undefined) return;
  // Who extracts them one after the other writes through the link.
  const isTrap = known === "symlink" && entry.kind === "directory";
  const reason = `the name ${JSON.stringify(name)} is there twice`;
  fail(random, table, reason, isTrap ? "path-escape" : "duplicate-name");
}

/** Something at `offset` that no item speaks of. */
function failGap(random: RandomInput, table: PxarTable, offset: number): never {
  const item = random.itemAt(offset);
  if (item === Item.FILENAME || item === Item.GOODBYE) {
    fail(random, table, `the entry at offset ${offset} is not in it`);
  }
  random.input.fail(
    "unexpected-item",
    `Cannot read directory: ${itemName(item)} between its entries`,
    offset,
  );
}

function fail(random: RandomInput, table: PxarTable, reason: string, code = "bad-goodbye"): never {
  random.input.fail(code, `Cannot read goodbye table: ${reason}`, table.offset);
}
