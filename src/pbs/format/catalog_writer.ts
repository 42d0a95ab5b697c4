/**
 * Writes catalogs, while archives are made: what is in memory is the open directories.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { UsageError } from "#src/errors.ts";
import {
  CATALOG_MAGIC,
  CATALOG_NAME_SIZE_LIMIT,
  CATALOG_TAIL_SIZE,
  CATALOG_TYPES,
  type CatalogLeafKind,
} from "./catalog.ts";
import { encodeSigned, encodeUnsigned } from "./varint.ts";

const CAPACITY_FIRST = 256;
/** Type byte, three numbers of the largest size. */
const ENTRY_OVERHEAD_MAX = 1 + 10 + 10 + 11;

/** The entries of one directory so far. */
interface OpenDirectory {
  readonly name: string;
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  count: number;
  /**
   * Directories inside, whose place is written relative to this one's table, which is not known
   * yet.
   */
  readonly children: { readonly position: number; readonly offset: number }[];
}

/**
 * Writes a catalog from its beginning to its end, in the order of the archives. Names are as in
 * `src/bytes/file_name.ts`.
 */
export class CatalogWriter {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #open: OpenDirectory[] = [openDirectory("")];
  #position = 0;

  /** `write` gets the bytes in order; it may keep what it is given. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
    this.#emit(CATALOG_MAGIC);
  }

  /** Number of directories that are open besides the catalog's root. */
  get depth(): number {
    return this.#open.length - 1;
  }

  /**
   * Goes into a directory. On the outermost level that is an archive, called by its index:
   * `root.pxar.didx`.
   */
  startDirectory(name: string): void {
    this.#open.push(openDirectory(name));
  }

  /** Leaves the directory that was gone into last. */
  endDirectory(): void {
    if (this.#open.length < 2) throw new UsageError("Cannot end a directory: none is open");
    const ended = this.#open.pop()!;
    const offset = this.#emitTable(ended);
    const parent = this.#open.at(-1)!;
    appendName(parent, CATALOG_TYPES.directory, ended.name);
    parent.children.push({ position: parent.length, offset });
  }

  /** Adds a file to the open directory. `mtime` in seconds. */
  addFile(name: string, size: number, mtime: number): void {
    const directory = this.#open.at(-1)!;
    appendName(directory, CATALOG_TYPES.file, name);
    for (const byte of encodeUnsigned(size)) directory.bytes[directory.length++] = byte;
    for (const byte of encodeSigned(mtime)) directory.bytes[directory.length++] = byte;
  }

  /**
   * Adds a link or node to the open directory. A hard link is the second or later name of a file.
   */
  addLeaf(kind: CatalogLeafKind, name: string): void {
    appendName(this.#open.at(-1)!, CATALOG_TYPES[kind], name);
  }

  /** Writes the end, when all directories were left. */
  finish(): void {
    if (this.#open.length !== 1) throw new UsageError("Cannot finish: a directory is open");
    const offset = this.#emitTable(this.#open[0]!);
    const tail = new Uint8Array(CATALOG_TAIL_SIZE);
    new DataView(tail.buffer).setBigUint64(0, BigInt(offset), true);
    this.#emit(tail);
  }

  /** @returns where the table begins */
  #emitTable(directory: OpenDirectory): number {
    const start = this.#position;
    const parts: Uint8Array[] = [Uint8Array.from(encodeUnsigned(directory.count))];
    let from = 0;
    for (const { position, offset } of directory.children) {
      parts.push(directory.bytes.subarray(from, position));
      parts.push(Uint8Array.from(encodeUnsigned(start - offset)));
      from = position;
    }
    parts.push(directory.bytes.subarray(from, directory.length));
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.#emit(Uint8Array.from(encodeUnsigned(size)));
    for (const part of parts) if (part.length > 0) this.#emit(part);
    return start;
  }

  #emit(bytes: Uint8Array): void {
    this.#write(bytes);
    this.#position += bytes.length;
  }
}

function openDirectory(name: string): OpenDirectory {
  return { name, bytes: new Uint8Array(CAPACITY_FIRST), length: 0, count: 0, children: [] };
}

/** Appends type and name, and makes room for what else an entry has. */
function appendName(directory: OpenDirectory, type: number, name: string): void {
  const bytes = encodeFileName(name);
  if (bytes.length === 0 || bytes.length >= CATALOG_NAME_SIZE_LIMIT) {
    throw new UsageError(`Cannot add a name of ${bytes.length} bytes to a catalog`);
  }
  const needed = directory.length + bytes.length + ENTRY_OVERHEAD_MAX;
  if (needed > directory.bytes.length) {
    const larger = new Uint8Array(2 * needed);
    larger.set(directory.bytes.subarray(0, directory.length));
    directory.bytes = larger;
  }
  directory.bytes[directory.length++] = type;
  for (const byte of encodeUnsigned(bytes.length)) directory.bytes[directory.length++] = byte;
  directory.bytes.set(bytes, directory.length);
  directory.length += bytes.length;
  directory.count++;
}
