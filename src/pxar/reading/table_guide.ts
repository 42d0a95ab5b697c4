/**
 * The way past damage: where the next entry begins, by the goodbye tables of the open directories.
 *
 * A table is found by the one above it, from the end of the archive on, so neither names nor the
 * entries of the directories are needed.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { PageCache } from "./page_cache.ts";
import { RandomInput, type TableRange } from "./random_input.ts";
import type { GoodbyeItem } from "../format/goodbye.ts";

/** An entry, as its directory's table has it. */
interface TableEntry {
  /** Offset of the FILENAME header. */
  readonly offset: number;
  /** With the hash of its name. */
  readonly item: GoodbyeItem;
}

/** An entry to go on at. */
export interface GuidedEntry extends TableEntry {
  /** 1 for what is in the root. */
  readonly depth: number;
}

/** Reads tables of one archive. */
export class TableGuide {
  readonly #source: ByteSource;
  readonly #random: RandomInput;
  /** Of the directories that were open the last time, by the offsets where they end. */
  readonly #tables = new Map<number, readonly TableEntry[]>();

  constructor(source: ByteSource) {
    this.#source = source;
    this.#random = new RandomInput(new PageCache(source, plainBuffer), undefined);
  }

  /**
   * The first entry behind `after` in the innermost directory whose table can be read, or in one
   * around it.
   *
   * @param open offsets of the FILENAME headers of the open directories below the root, from the
   *   outside in
   */
  next(open: readonly number[], after: number): GuidedEntry | undefined {
    const tables = this.#tablesOf(open);
    for (let depth = tables.length; depth > 0; depth--) {
      const found = firstFrom(tables[depth - 1]!, after + 1);
      if (found !== undefined) return { ...found, depth };
    }
    return undefined;
  }

  /** Where the entry at `offset` ends, by the table of the innermost of the directories. */
  endOf(open: readonly number[], offset: number): number | undefined {
    const entry = firstFrom(this.#tablesOf(open)[open.length] ?? [], offset);
    return entry?.offset === offset ? offset + entry.item.size : undefined;
  }

  /** The tables that can be read, from the root's on; each is found by the one before. */
  #tablesOf(open: readonly number[]): (readonly TableEntry[])[] {
    const tables: (readonly TableEntry[])[] = [];
    let end: number | undefined = this.#source.size;
    for (let depth = 0; end !== undefined && depth <= open.length; depth++) {
      const table = this.#tableBefore(end);
      if (table === undefined) break;
      tables.push(table);
      const start = open[depth];
      const child = start === undefined ? undefined : firstFrom(table, start);
      end = child !== undefined && child.offset === start ? start + child.item.size : undefined;
    }
    // Those of directories that have ended are not needed again.
    const used = new Set(tables);
    for (const [end, table] of this.#tables) if (!used.has(table)) this.#tables.delete(end);
    return tables;
  }

  #tableBefore(end: number): readonly TableEntry[] | undefined {
    const known = this.#tables.get(end);
    if (known !== undefined) return known;
    const range = this.#attempt(() => this.#random.tableBefore(end));
    if (range === undefined) return undefined;
    const entries = this.#entriesOf(range);
    this.#tables.set(end, entries);
    return entries;
  }

  /** What can be read of a table, in the order of the archive. */
  #entriesOf(table: TableRange): TableEntry[] {
    const entries: TableEntry[] = [];
    for (let index = 0; index < table.count; index++) {
      const item = this.#attempt(() => this.#random.tableItem(table, index));
      const offset = item === undefined ? -1 : table.offset - item.offset;
      if (item !== undefined && offset >= 0 && offset < table.offset) {
        entries.push({ offset, item });
      }
    }
    return entries.sort((one, other) => one.offset - other.offset);
  }

  #attempt<Result>(read: () => Result): Result | undefined {
    try {
      return read();
    } catch (error) {
      if (isDamage(error) || error instanceof FormatError) return undefined;
      throw error;
    }
  }
}

/** The first entry at `offset` or behind it. */
function firstFrom(table: readonly TableEntry[], offset: number): TableEntry | undefined {
  let [low, high] = [0, table.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (table[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return table[low];
}
