/**
 * Entries of an archive decoded at their offsets, and kept for a while. Everything is checked: an
 * entry is where its table says, inside of its directory, and complete.
 *
 * @module
 */

import { FormatError, withPlace } from "#src/errors.ts";
import type { PxarChild, PxarNode, PxarTable } from "../archive_node.ts";
import type { PxarEntry, PxarHardlink } from "../entry.ts";
import { GOODBYE_ITEM_SIZE, type GoodbyeItem } from "../format/goodbye.ts";
import { Item } from "../format/item.ts";
import { DEPTH_MAX } from "../format/limits.ts";
import { atItem, readEntry, readEntryOrHardlink, readName } from "./entry_reader.ts";
import type { ItemInput } from "./item_input.ts";
import type { RandomInput } from "./random_input.ts";
import { RecentEntries } from "./recent_entries.ts";
import { isTableDamage, type TableRebuilder } from "./table_rebuilder.ts";

/** See above. Not re-entrant. */
export class EntryDecoder {
  readonly #random: RandomInput;
  readonly #tables: TableRebuilder;
  readonly #sizeBytes: number;
  /** By the offset of the FILENAME header; directories also by that of their table's tail. */
  readonly #nodes = new RecentEntries();

  /** @param sizeBytes length of the archive */
  constructor(random: RandomInput, tables: TableRebuilder, sizeBytes: number) {
    this.#random = random;
    this.#tables = tables;
    this.#sizeBytes = sizeBytes;
  }

  /** The child that an item of a table speaks of. */
  childAt(table: PxarTable, item: GoodbyeItem): PxarChild {
    const start = table.offset - item.offset;
    // In version 2 the size counts the file's payload too, which is elsewhere.
    const end = Math.min(start + item.size, table.offset);
    if (start < table.childrenOffset || !(start < table.offset)) this.#failItem(table, start);
    const known = this.#nodes.get(start);
    const isSame = known !== undefined &&
      (known.table === undefined ? known.end <= end : known.end === start + item.size);
    if (isSame && known.offset === start) return known;
    if (this.#random.itemAt(start) !== Item.FILENAME) {
      this.#failTable("an item refers to no entry", table);
    }
    const child = this.#decodedInTable(start, end, table);
    if (child.entry.kind === "directory" && child.end !== start + item.size) {
      this.#failTable(`the size of "${child.name}" is wrong`, table);
    }
    return child;
  }

  /** {@link decoded}; where the table's range ends too early it is the table that is wrong. */
  #decodedInTable(start: number, end: number, table: PxarTable): PxarChild {
    try {
      return this.decoded(start, end, table.depth + 1);
    } catch (error) {
      const isCut = error instanceof FormatError && error.code === "truncated";
      if (isCut && end < this.#sizeBytes) this.#failTable(error.message, table);
      throw error;
    }
  }

  #failItem(table: PxarTable, start: number): never {
    const isCyclic = start < table.entryOffset && start >= 0 &&
      this.#random.itemAt(start) === Item.FILENAME;
    const reason = `an item refers to offset ${start}, outside of the directory`;
    this.#failTable(reason, table, isCyclic ? "cyclic-goodbye" : "bad-goodbye");
  }

  #failTable(reason: string, table: PxarTable, code = "bad-goodbye"): never {
    this.#random.input.fail(code, `Cannot read goodbye table: ${reason}`, table.offset);
  }

  /**
   * Decodes the entry at `start`, which must end at `limit` or before; a directory ends exactly
   * there.
   */
  decoded(start: number, limit: number, depth: number): PxarChild {
    const known = this.#nodes.get(start);
    if (known !== undefined && known.offset === start && known.table === undefined) {
      if (known.end <= limit) return known;
    }
    const input = this.#random.goTo(start, limit);
    let child: PxarChild;
    // Not by `atItem`: a function for each entry takes time where there are many.
    try {
      child = this.#readEntry(input, start, limit, depth);
    } catch (error) {
      throw withPlace(error, input.place);
    }
    this.#nodes.set(start, child);
    return child;
  }

  #readEntry(input: ItemInput, start: number, limit: number, depth: number): PxarChild {
    input.header();
    if (input.item !== Item.FILENAME) {
      input.fail("unexpected-item", "Cannot read entry: no FILENAME");
    }
    const name = readName(input);
    const entryOffset = input.position;
    const entry = readEntryOrHardlink(input, true);
    return this.#completed(name, start, entryOffset, limit, entry, depth);
  }

  #completed(
    name: string,
    offset: number,
    entryOffset: number,
    limit: number,
    entry: PxarEntry | PxarHardlink,
    depth: number,
  ): PxarChild {
    const { input } = this.#random;
    const childrenOffset = input.position;
    if (entry.kind === "hardlink") {
      return { name, offset, end: childrenOffset, entry, table: undefined };
    }
    if (entry.kind === "file" && entry.payload.kind === "inline") {
      const end = childrenOffset + entry.payload.size;
      if (end > limit) input.failEnd(entry.payload.size);
      return { name, offset, end, entry, table: undefined };
    }
    if (entry.kind !== "directory") {
      return { name, offset, end: childrenOffset, entry, table: undefined };
    }
    if (depth > DEPTH_MAX) {
      input.fail("deep-nesting", `Cannot read "${name}": more than ${DEPTH_MAX} directories`);
    }
    const place = { entryOffset, childrenOffset, depth };
    try {
      const range = this.#random.tableBefore(limit);
      if (range.tailTarget !== entryOffset || range.offset < childrenOffset) {
        input.fail("bad-goodbye", `Cannot read goodbye table of "${name}": it is another's`);
      }
      const table = { ...place, offset: range.offset, count: range.count };
      return { name, offset, end: limit, entry, table };
    } catch (error) {
      if (!isTableDamage(error)) throw error;
      const rebuilt = this.#tables.rebuild({ offset, childrenOffset, limit }, error);
      const table = { ...place, offset: rebuilt.offset, count: rebuilt.count, rebuilt };
      return { name, offset, end: limit, entry, table };
    }
  }

  /** The directory whose table's tail is at `tail`. Its name is not known from there. */
  directoryBefore(tail: number): PxarNode {
    const known = this.#nodes.get(tail);
    if (known?.table !== undefined && known.end === tail + GOODBYE_ITEM_SIZE) {
      return known as PxarNode;
    }
    const end = tail + GOODBYE_ITEM_SIZE;
    const { offset, count, tailTarget } = this.#random.tableBefore(end);
    const node = atItem(this.#random.goTo(tailTarget, offset), (input): PxarNode => {
      input.header();
      const entry = readEntry(input, true);
      if (entry.kind !== "directory") {
        input.fail("bad-goodbye", "Cannot read goodbye table: it belongs to no directory", offset);
      }
      const childrenOffset = input.position;
      const table = { entryOffset: tailTarget, childrenOffset, offset, count, depth: 0 };
      return { name: "", offset: tailTarget, end, entry, table };
    });
    this.#nodes.set(tail, node);
    return node;
  }
}
