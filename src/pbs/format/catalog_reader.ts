/**
 * Reads catalogs, directory by directory.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError, LimitError } from "#src/errors.ts";
import {
  CATALOG_MAGIC,
  CATALOG_NAME_SIZE_LIMIT,
  CATALOG_TAIL_SIZE,
  CATALOG_TYPES,
  type CatalogDirectory,
  type CatalogEntry,
} from "./catalog.ts";
import { readSafeUnsigned, readSigned, type VarintCursor } from "./varint.ts";

/** The bytes of a catalog. */
export interface CatalogBytes {
  /** Length of the catalog in bytes. */
  readonly size: number;
  /**
   * Exactly `size` bytes at `offset`, which are there. They are the reader's until its next call.
   */
  read(offset: number, size: number): Uint8Array;
}

/** A table this large has millions of entries. */
const TABLE_SIZE_MAX = 512 << 20;
/** Read at once in the hope that a table fits. */
const FIRST_READ_SIZE = 4096;
const LENGTH_SIZE_MAX = 10;
/** Type byte, length of the name, a name of one byte. */
const ENTRY_SIZE_MIN = 3;
const DEPTH_MAX = 4096;

const KINDS: ReadonlyMap<number, CatalogEntry["kind"]> = new Map(
  Object.entries(CATALOG_TYPES).map(([kind, type]) => [type, kind as CatalogEntry["kind"]]),
);

/** A catalog that is read on demand. */
export class CatalogReader {
  /** The directory of the archives. */
  readonly root: CatalogDirectory;
  readonly #bytes: CatalogBytes;
  /** Where the tables end. */
  readonly #end: number;

  /**
   * Reads beginning and end.
   *
   * @throws {FormatError} when the bytes are no catalog
   */
  constructor(bytes: CatalogBytes) {
    this.#bytes = bytes;
    this.#end = bytes.size - CATALOG_TAIL_SIZE;
    if (this.#end < CATALOG_MAGIC.length) throw corrupt(`it has ${bytes.size} bytes`, 0);
    const magic = bytes.read(0, CATALOG_MAGIC.length);
    if (!CATALOG_MAGIC.every((byte, index) => magic[index] === byte)) {
      throw corrupt(`unknown magic ${magic.toHex()}`, 0);
    }
    const tail = bytes.read(this.#end, CATALOG_TAIL_SIZE).slice();
    const offset = Number(new DataView(tail.buffer).getBigUint64(0, true));
    this.root = { kind: "directory", name: "", offset: this.#checkOffset(offset, this.#end) };
  }

  /**
   * The entries of a directory, in the order of the archive.
   *
   * @throws {FormatError} when its table is damaged
   * @throws {LimitError} when it is too large to be true
   */
  entries(directory: CatalogDirectory): CatalogEntry[] {
    const cursor: VarintCursor = { bytes: this.#readTable(directory.offset), offset: 0 };
    const count = readSafeUnsigned(cursor);
    if (count > cursor.bytes.length / ENTRY_SIZE_MIN) {
      throw corrupt(
        `a table of ${cursor.bytes.length} bytes with ${count} entries`,
        directory.offset,
      );
    }
    const entries: CatalogEntry[] = [];
    const names = new Set<string>();
    for (let index = 0; index < count; index++) {
      const entry = this.#readEntry(cursor, directory);
      if (names.has(entry.name)) {
        throw corrupt(`${JSON.stringify(entry.name)} twice`, directory.offset);
      }
      names.add(entry.name);
      entries.push(entry);
    }
    if (cursor.offset !== cursor.bytes.length) {
      throw corrupt("a table is too long", directory.offset);
    }
    return entries;
  }

  /**
   * Finds an entry by the names on the way to it, the archive's first.
   *
   * @returns undefined when there is none
   */
  find(names: readonly string[]): CatalogEntry | undefined {
    let found: CatalogEntry | undefined = this.root;
    for (const name of names) {
      if (found?.kind !== "directory") return undefined;
      found = this.entries(found).find((entry) => entry.name === name);
    }
    return found;
  }

  /**
   * Everything in a directory, each directory before its contents, with the names on the way from
   * there. No table is visited twice, so that a hostile catalog cannot make this endless.
   *
   * @throws as {@link entries}
   */
  *walk(start: CatalogDirectory = this.root): Generator<[names: readonly string[], CatalogEntry]> {
    yield* this.#walk(start, [], new Set());
  }

  *#walk(
    directory: CatalogDirectory,
    parents: readonly string[],
    visited: Set<number>,
  ): Generator<[names: readonly string[], CatalogEntry]> {
    if (visited.has(directory.offset)) throw corrupt("two directories are one", directory.offset);
    if (parents.length > DEPTH_MAX) throw new LimitError("Cannot read catalog: it is too deep");
    visited.add(directory.offset);
    for (const entry of this.entries(directory)) {
      const names = [...parents, entry.name];
      yield [names, entry];
      if (entry.kind === "directory") yield* this.#walk(entry, names, visited);
    }
  }

  #readEntry(cursor: VarintCursor, { offset: tableOffset }: CatalogDirectory): CatalogEntry {
    const { bytes } = cursor;
    const type = bytes[cursor.offset++];
    const kind = type === undefined ? undefined : KINDS.get(type);
    if (kind === undefined) throw corrupt(`unknown type ${type ?? "at the end"}`, tableOffset);
    const nameSize = readSafeUnsigned(cursor);
    if (nameSize >= CATALOG_NAME_SIZE_LIMIT || cursor.offset + nameSize > bytes.length) {
      throw corrupt(`a name of ${nameSize} bytes`, tableOffset);
    }
    const name = decodeFileName(bytes.subarray(cursor.offset, cursor.offset + nameSize));
    cursor.offset += nameSize;
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
      throw corrupt(`a file called ${JSON.stringify(name)}`, tableOffset);
    }
    if (kind === "file") {
      return { kind, name, size: readSafeUnsigned(cursor), mtime: Number(readSigned(cursor)) };
    }
    if (kind !== "directory") return { kind, name };
    // Tables are before their parents' ones: going down always ends.
    const offset = this.#checkOffset(tableOffset - readSafeUnsigned(cursor), tableOffset);
    return { kind, name, offset };
  }

  #checkOffset(offset: number, before: number): number {
    if (!(offset >= CATALOG_MAGIC.length && offset < before)) {
      throw corrupt(`a table at ${offset}`, before);
    }
    return offset;
  }

  #readTable(offset: number): Uint8Array {
    const room = this.#end - offset;
    const head = this.#bytes.read(offset, Math.min(FIRST_READ_SIZE, room));
    const cursor: VarintCursor = { bytes: head.subarray(0, LENGTH_SIZE_MAX), offset: 0 };
    const size = readSafeUnsigned(cursor);
    const start = cursor.offset;
    if (size > room - start) throw corrupt(`a table of ${size} bytes`, offset);
    if (size > TABLE_SIZE_MAX) {
      throw new LimitError(`Cannot read catalog: a table has ${size} bytes`);
    }
    return start + size <= head.length
      ? head.subarray(start, start + size)
      : this.#bytes.read(offset + start, size);
  }
}

function corrupt(what: string, offset: number): FormatError {
  return new FormatError(`Cannot read catalog: ${what}`, { offset });
}
