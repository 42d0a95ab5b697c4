/**
 * Lists a directory by its table, in the order of the archive.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import type { RandomInput } from "./_random_input.ts";
import type { PxarChild, PxarTable } from "./accessor.ts";
import { filenameHash } from "./format/filename_hash.ts";
import type { GoodbyeItem } from "./format/goodbye.ts";
import { Item, itemName } from "./format/item.ts";

type ChildKind = PxarChild["entry"]["kind"];

/** Children of one directory; 24 bytes of memory each while it is listed. */
const CHILD_COUNT_MAX = 16_000_000;

/**
 * The children. A table lists what the directory holds without gaps, each name once: everything else is refused, since
 * something would be missing or there twice.
 */
export function* readChildren(
  random: RandomInput,
  table: PxarTable,
  decode: (item: GoodbyeItem) => PxarChild,
): Generator<PxarChild> {
  const items = readItems(random, table);
  const seen = new Map<string, ChildKind>();
  let expected = table.childrenOffset;
  for (const index of items.order) {
    const item = items.at(index);
    const start = table.offset - item.offset;
    // What is outside of the directory is the decoder's to refuse.
    if (start > expected && start < table.offset) failGap(random, table, expected);
    const child = decode(item);
    if (start < expected) {
      fail(random, table, `"${child.name}" overlaps another entry`);
    }
    filenameHash.hash(encodeFileName(child.name));
    if (filenameHash.high !== item.hashHigh || filenameHash.low !== item.hashLow) {
      fail(random, table, `the hash of "${child.name}" is wrong`);
    }
    if (items.isHashShared(item)) checkName(random, table, seen, child);
    expected = child.end;
    yield child;
  }
  if (expected !== table.offset) failGap(random, table, expected);
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

  constructor(random: RandomInput, table: PxarTable) {
    const { count } = table;
    this.#hashHighs = new Uint32Array(count);
    this.#hashLows = new Uint32Array(count);
    this.#offsets = new Float64Array(count);
    this.#sizes = new Float64Array(count);
    for (let index = 0; index < count; index++) {
      const item = random.tableItem(table, index);
      this.#hashHighs[index] = item.hashHigh;
      this.#hashLows[index] = item.hashLow;
      this.#offsets[index] = item.offset;
      this.#sizes[index] = item.size;
    }
    // The farthest from the table comes first.
    const offsets = this.#offsets;
    this.order = Uint32Array.from(offsets, (_, index) => index);
    this.order.sort((a, b) => offsets[b]! - offsets[a]!);
    this.#findShared();
  }

  at(index: number): GoodbyeItem {
    return {
      hashHigh: this.#hashHighs[index]!,
      hashLow: this.#hashLows[index]!,
      offset: this.#offsets[index]!,
      size: this.#sizes[index]!,
    };
  }

  /** Whether several items have that hash. */
  isHashShared(item: GoodbyeItem): boolean {
    return this.#shared.size > 0 && this.#shared.has(hashKey(item));
  }

  #findShared(): void {
    const highs = this.#hashHighs;
    const lows = this.#hashLows;
    const byHash = Uint32Array.from(this.order)
      .sort((a, b) => highs[a]! - highs[b]! || lows[a]! - lows[b]!);
    for (let i = 1; i < byHash.length; i++) {
      const [previous, current] = [byHash[i - 1]!, byHash[i]!];
      if (highs[previous] === highs[current] && lows[previous] === lows[current]) {
        this.#shared.add(hashKey(this.at(current)));
      }
    }
  }
}

function readItems(random: RandomInput, table: PxarTable): TableItems {
  if (table.count > CHILD_COUNT_MAX) {
    throw new LimitError(`Cannot list a directory of ${table.count} entries`);
  }
  return new TableItems(random, table);
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
