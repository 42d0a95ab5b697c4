/**
 * Tables of directories whose own cannot be read: what they hold is found by reading the archive in
 * order.
 *
 * @module
 */

import { LruCache } from "#src/bytes/lru_cache.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, LimitError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isDamage } from "#src/io/sound_read.ts";
import type { RandomInput } from "./random_input.ts";
import { SourceCursor } from "./source_cursor.ts";
import type { RebuiltTable } from "../archive_node.ts";
import { PxarDecoder } from "../decoder.ts";
import { filenameHash, hashFileName } from "../format/filename_hash.ts";
import { GoodbyeBuilder } from "../format/goodbye.ts";

/** All tables kept; one that has gone is rebuilt when it is needed again. */
const BYTES_MAX = 64 << 20;

/** A directory without a table. */
export interface TablelessDirectory {
  /** Offset of its FILENAME header; of its ENTRY header for the root. */
  readonly offset: number;
  readonly childrenOffset: number;
  /** It ends there at the latest. */
  readonly limit: number;
}

/** A directory that has begun and not ended. */
interface OpenDirectory {
  readonly offset: number;
  readonly hash: Hash;
  readonly children: GoodbyeBuilder;
}

interface Hash {
  readonly high: number;
  readonly low: number;
}

/** A child of which it is not yet known where it ends. */
interface LastChild {
  readonly start: number;
  readonly hash: Hash;
  /** For a directory that had its table: that one may be as bad. */
  readonly ended: { readonly directory: OpenDirectory; readonly offset: number } | undefined;
}

/** Rebuilds tables of one archive. Contents are passed over, metadata are read once. */
export class TableRebuilder {
  readonly #source: ByteSource;
  readonly #allocate: (size: number) => NativeBuffer;
  readonly #random: RandomInput;
  readonly #name: string | undefined;
  /** By the offset of the directory. */
  readonly #tables = new LruCache<number, RebuiltTable>(BYTES_MAX);

  constructor(
    source: ByteSource,
    allocate: (size: number) => NativeBuffer,
    random: RandomInput,
    name: string | undefined,
  ) {
    this.#source = source;
    this.#allocate = allocate;
    this.#random = random;
    this.#name = name;
  }

  /**
   * What the directory is seen to hold, up to its end or to further damage.
   *
   * @param reason why its own table is of no use
   */
  rebuild(directory: TablelessDirectory, reason: Error): RebuiltTable {
    return this.#tables.get(directory.offset) ?? this.#scan(directory, reason);
  }

  /** Reads on until the directory ends; those that have begun by then are rebuilt as well. */
  #scan({ offset, childrenOffset, limit }: TablelessDirectory, reason: Error): RebuiltTable {
    const cursor = new SourceCursor(this.#source, this.#allocate);
    const decoder = new PxarDecoder(cursor, { name: this.#name });
    decoder.resume(childrenOffset, 1);
    const open = [openDirectory(offset, { high: 0, low: 0 })];
    let last: LastChild | undefined;
    let failure: Error | undefined;
    while (failure === undefined) {
      const event = attempt(() => decoder.next());
      const position = decoder.itemOffset;
      if (last !== undefined && position > last.start) this.#endChild(open.at(-1)!, last, position);
      last = undefined;
      if (event instanceof Error) failure = event;
      else if (event === undefined || position >= limit) failure = reason;
      else if (event.type === "leave") {
        if (open.length === 1) break;
        const directory = open.pop()!;
        const { offset: start, hash } = directory;
        last = { start, hash, ended: { directory, offset: position } };
      } else if (event.type === "entry") {
        const hash = hashOf(event.name);
        const isDirectory = event.entry.kind === "directory";
        if (isDirectory) open.push(openDirectory(event.offset, hash));
        else last = { start: event.offset, hash, ended: undefined };
      }
    }
    return this.#closeAll(open, decoder.itemOffset, failure ?? reason);
  }

  #endChild(parent: OpenDirectory, { start, hash, ended }: LastChild, end: number): void {
    parent.children.add(hash.high, hash.low, start, end - start);
    if (ended === undefined) return;
    // So no directory is read once for each of those around it.
    const table = attempt(() => this.#random.tableBefore(end));
    if (table instanceof Error) this.#keep(ended.directory, ended.offset, table);
  }

  /**
   * Keeps what is known of the directories that have not ended, the innermost first. @returns the
   * outermost
   */
  #closeAll(open: OpenDirectory[], end: number, damage: Error): RebuiltTable {
    while (true) {
      const directory = open.pop()!;
      const table = this.#keep(directory, end, damage);
      const parent = open.at(-1);
      if (parent === undefined) return table;
      const { hash, offset } = directory;
      if (end > offset) parent.children.add(hash.high, hash.low, offset, end - offset);
    }
  }

  #keep({ offset, children }: OpenDirectory, end: number, damage: Error): RebuiltTable {
    const bytes = children.encode(end, offset);
    const table = {
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      count: children.count,
      offset: end,
      damage,
    };
    if (this.#tables.get(offset) === undefined) this.#tables.set(offset, table, bytes.length);
    return table;
  }
}

function openDirectory(offset: number, hash: Hash): OpenDirectory {
  return { offset, hash, children: new GoodbyeBuilder() };
}

function hashOf(name: string): Hash {
  hashFileName(name);
  return { high: filenameHash.high, low: filenameHash.low };
}

/**
 * Whether a directory's table is of no use for this reason, which says nothing of what is in the
 * directory.
 */
export function isTableDamage(error: unknown): error is Error {
  return isDamage(error) || error instanceof FormatError;
}

function attempt<Result>(read: () => Result): Result | Error {
  try {
    return read();
  } catch (error) {
    if (isTableDamage(error) || error instanceof LimitError) return error;
    throw error;
  }
}
