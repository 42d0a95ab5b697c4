/**
 * Items at any offset of a metadata stream, and the tables of its directories.
 *
 * @module
 */

import { readSound } from "#src/io/sound_read.ts";
import { ItemInput } from "./item_input.ts";
import type { PageCache } from "./page_cache.ts";
import type { PxarTable } from "../archive_node.ts";
import {
  decodeGoodbyeItem,
  GOODBYE_ITEM_SIZE,
  GOODBYE_SIZE_MIN,
  goodbyeCount,
  type GoodbyeItem,
  isGoodbyeTail,
} from "../format/goodbye.ts";
import { decodeContentSize, decodeItem, HEADER_SIZE, Item } from "../format/item.ts";
import { CONTENT_SIZE_PLAUSIBLE_MAX } from "../format/limits.ts";

/** An entry with its name and a small file's header is seldom longer. */
const READ_AHEAD_SIZE = 256;

/** Where a directory's table is, as its tail says. */
export interface TableRange {
  /** Offset of the GOODBYE header. */
  readonly offset: number;
  /** Number of children. */
  readonly count: number;
  /**
   * What the tail refers to: the ENTRY header, or in version 2 the beginning of the stream for the
   * root.
   */
  readonly tailTarget: number;
}

/** Reads items within a range of the stream. */
export class RandomInput {
  readonly input: ItemInput;
  readonly #pages: PageCache;
  readonly #bytes = new Uint8Array(GOODBYE_ITEM_SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #limit = 0;

  constructor(pages: PageCache, name: string | undefined) {
    this.#pages = pages;
    this.input = new ItemInput(
      {
        read: (target, start, size, offset) => {
          const wanted = Math.min(size, this.#limit - offset);
          return readSound((count) => pages.read(target, start, count, offset), wanted);
        },
        skip: (size, offset) => Math.max(0, Math.min(size, this.#limit - offset)),
      },
      READ_AHEAD_SIZE,
      name,
    );
  }

  /** Goes to `offset`; the stream ends at `limit` from now on. */
  goTo(offset: number, limit: number): ItemInput {
    this.#limit = Math.min(limit, this.#pages.size);
    this.input.restart(offset);
    return this.input;
  }

  /** Type of the item at `offset`, whatever follows its header; `UNKNOWN` at the end. */
  itemAt(offset: number): Item {
    return this.#readAt(offset, HEADER_SIZE) ? decodeItem(this.#view, 0) : Item.UNKNOWN;
  }

  /** Item `index` of a table. */
  tableItem(table: Pick<PxarTable, "offset" | "rebuilt">, index: number): GoodbyeItem {
    const { rebuilt } = table;
    if (rebuilt !== undefined) {
      return decodeGoodbyeItem(rebuilt.view, HEADER_SIZE + index * GOODBYE_ITEM_SIZE);
    }
    const offset = table.offset + HEADER_SIZE + index * GOODBYE_ITEM_SIZE;
    if (!this.#readAt(offset, GOODBYE_ITEM_SIZE)) {
      this.input.fail("truncated", "Cannot read goodbye table: the stream ends", offset);
    }
    return decodeGoodbyeItem(this.#view, 0);
  }

  /** Whether a tail item is at `offset`. */
  isTailAt(offset: number): boolean {
    return this.#readAt(offset, GOODBYE_ITEM_SIZE) &&
      isGoodbyeTail(decodeGoodbyeItem(this.#view, 0));
  }

  /**
   * The table of the directory that ends at `end`.
   *
   * @throws {FormatError} `bad-goodbye`, `bad-size`
   */
  tableBefore(end: number): TableRange {
    const tailOffset = end - GOODBYE_ITEM_SIZE;
    if (!this.isTailAt(tailOffset)) this.#failTable("its tail marker is missing", tailOffset);
    const tail = decodeGoodbyeItem(this.#view, 0);
    const count = goodbyeCount(tail.size);
    const offset = end - tail.size;
    if (count === undefined || offset < 0 || tail.size < GOODBYE_SIZE_MIN) {
      this.#failTable(`its tail says a size of ${tail.size}`, tailOffset);
    }
    if (!(tail.offset <= offset)) {
      this.#failTable(`its tail refers to ${tail.offset} bytes before it`, tailOffset);
    }
    this.#checkHeader(offset, tail.size);
    return { offset, count, tailTarget: offset - tail.offset };
  }

  #checkHeader(offset: number, size: number): void {
    if (!this.#readAt(offset, HEADER_SIZE) || decodeItem(this.#view, 0) !== Item.GOODBYE) {
      this.#failTable("its header is missing", offset);
    }
    const contentSize = decodeContentSize(this.#view, 0);
    if (contentSize === size - HEADER_SIZE) return;
    const isPossible = contentSize >= 0 && contentSize <= CONTENT_SIZE_PLAUSIBLE_MAX &&
      contentSize % GOODBYE_ITEM_SIZE === 0;
    this.#failTable("header and tail disagree", offset, isPossible ? "bad-goodbye" : "bad-size");
  }

  #failTable(reason: string, offset: number, code = "bad-goodbye"): never {
    this.input.fail(code, `Cannot read goodbye table: ${reason}`, offset);
  }

  #readAt(offset: number, size: number): boolean {
    return offset >= 0 && this.#pages.read(this.#bytes, 0, size, offset) === size;
  }
}
