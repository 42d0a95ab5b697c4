/**
 * What threads know together of the files of a directory: for each one that somebody has seen, its
 * number, what tells it from others, and where it was found.
 *
 * A file's number is its inode number on the file system of the directory, so that it is the same
 * each time. Others get a number of the upper half by a digest of what they are. That can be taken
 * by another file: then the next free one is theirs.
 *
 * The memory grows as files are seen. Rows are never changed nor moved once they can be found, so
 * that only whoever adds one takes the lock.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { SipHash24 } from "#src/bytes/siphash.ts";
import { LimitError, StateError } from "#src/errors.ts";
import type { HostStat } from "#ffi/libc/calls.ts";
import { acquireLock, releaseLock } from "#src/threads/lock.ts";
import type { SharedCells } from "#src/threads/waiting.ts";
import { FileType } from "#src/tree/node.ts";

/** Position of a row; 0 is none. */
export type Row = number;

const Header = { LOCK: 0, NEXT: 1, ROOT_DEVICE: 2, CELLS: 4 } as const;
/** A power of two. Each is the row that begins a chain. */
const BUCKET_COUNT = 1 << 18;
/** Memory is given out in units of this many bytes; a row's position counts them. */
const UNIT = 8;
const ROWS_OFFSET = (Header.CELLS + BUCKET_COUNT) * 4;
const MEMORY_MIN = 2 << 20;
/** Some 40 million files. */
const MEMORY_MAX = 2 ** 32;
const LOCK_TIMEOUT_MS = 10_000;

/** Doubles of a row, then its cells, then its name. */
const Double = { ID: 0, INO: 1, SIZE: 2, MTIME_SECONDS: 3, COUNT: 4 } as const;
const Cell = {
  NEXT: 8,
  PARENT: 9,
  DEVICE: 10,
  MTIME_NANOSECONDS: 11,
  TYPE: 12,
  NAME_LENGTH: 13,
  NAMES: 14,
  COUNT: 16,
} as const;
const NAME_OFFSET = Cell.COUNT * 4;

/** Inode numbers from here on are not the numbers of files here. */
const INODE_ID_END = 2 ** 46;
const ID_END = 2 ** 47;
/** Larger ones are not exact any more. */
const EXACT_INODE_END = 2 ** 53;

/** Makes the memory of a table for a directory on `rootDevice`. */
export function createInodeMemory(rootDevice: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(MEMORY_MIN, { maxByteLength: MEMORY_MAX });
  const header = new Int32Array(memory, 0, Header.CELLS);
  header[Header.NEXT] = ROWS_OFFSET / UNIT;
  header[Header.ROOT_DEVICE] = rootDevice | 0;
  return memory;
}

/** The table in a thread. */
export class InodeTable {
  readonly #memory: SharedArrayBuffer;
  readonly #cells: SharedCells;
  readonly #doubles: Float64Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #hash = new SipHash24(0n, 0n);

  /** @param memory of {@link createInodeMemory} */
  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    // Without a length: these follow the memory as it grows.
    this.#cells = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /**
   * The row of what was seen as `name` in the directory of the row `parent`.
   *
   * @returns undefined when it was another file of that number before, or had another content
   * @throws {LimitError}
   */
  note(stat: HostStat, parent: Row, name: string): Row | undefined {
    const id = this.#firstId(stat, parent, name);
    const known = this.#search(id, stat, parent, name);
    if (known.row !== 0) return this.#unchanged(known.row, stat);
    if (!acquireLock(this.#cells, Header.LOCK, LOCK_TIMEOUT_MS)) {
      throw new StateError("timeout", "Cannot note a file: another thread does not go on");
    }
    try {
      const { row, freeId } = this.#search(known.freeId, stat, parent, name);
      if (row !== 0) return this.#unchanged(row, stat);
      return this.#add(freeId, stat, parent, encodeFileName(name));
    } finally {
      releaseLock(this.#cells, Header.LOCK);
    }
  }

  /** The row of a number, or 0 when nobody has seen such a file. */
  find(id: number): Row {
    for (let row = Atomics.load(this.#cells, bucketOf(id)); row !== 0;) {
      if (this.id(row) === id) return row;
      row = this.#cell(row, Cell.NEXT);
    }
    return 0;
  }

  /** Number of the file. */
  id(row: Row): number {
    return this.#double(row, Double.ID);
  }

  /** The row of the directory it was found in; 0 for the topmost one. */
  parent(row: Row): Row {
    return this.#cell(row, Cell.PARENT);
  }

  /** Its name there. */
  name(row: Row): string {
    const start = row * UNIT + NAME_OFFSET;
    // Decoders take no shared memory.
    return decodeFileName(this.#bytes.slice(start, start + this.#cell(row, Cell.NAME_LENGTH)));
  }

  /** Its file type, as in a mode. */
  type(row: Row): number {
    return this.#cell(row, Cell.TYPE);
  }

  /** Number of its names in the directory, once all were counted; else 0. */
  nameCount(row: Row): number {
    return Atomics.load(this.#cells, cellIndex(row, Cell.NAMES));
  }

  /** See {@link nameCount}. */
  setNameCount(row: Row, count: number): void {
    Atomics.store(this.#cells, cellIndex(row, Cell.NAMES), count);
  }

  /** Whether attributes are those of the file, with the content that it had. */
  isSame(row: Row, stat: HostStat): boolean {
    return this.#isSameFile(row, stat) && this.#isSameContent(row, stat);
  }

  #firstId(stat: HostStat, parent: Row, name: string): number {
    const { device, ino } = stat;
    const isOnRoot = (device | 0) === this.#cells[Header.ROOT_DEVICE];
    if (isOnRoot && ino > 0 && ino < INODE_ID_END) return ino;
    const text = ino < EXACT_INODE_END ? `${device}:${ino}` : `${this.id(parent)}/${name}`;
    this.#hash.hash(encodeFileName(text));
    const { high, low } = this.#hash;
    return INODE_ID_END + (high & 0x3fff) * 2 ** 32 + low;
  }

  #search(id: number, stat: HostStat, parent: Row, name: string): { row: Row; freeId: number } {
    for (;;) {
      const row = this.find(id);
      if (row === 0) return { row, freeId: id };
      if (id < INODE_ID_END) return { row, freeId: id };
      const isFound = this.#isSameFile(row, stat) &&
        // Only by its name can it be told from others.
        (stat.ino < EXACT_INODE_END || this.parent(row) === parent && this.name(row) === name);
      if (isFound) return { row, freeId: id };
      id = id + 1 === ID_END ? INODE_ID_END : id + 1;
    }
  }

  #unchanged(row: Row, stat: HostStat): Row | undefined {
    return this.isSame(row, stat) ? row : undefined;
  }

  #isSameFile(row: Row, { device, ino }: HostStat): boolean {
    return this.#double(row, Double.INO) === ino &&
      this.#cell(row, Cell.DEVICE) === (device | 0);
  }

  #isSameContent(row: Row, stat: HostStat): boolean {
    const type = stat.mode & FileType.MASK;
    if (this.type(row) !== type) return false;
    return type === FileType.DIRECTORY ||
      this.#double(row, Double.SIZE) === stat.size &&
        this.#double(row, Double.MTIME_SECONDS) === stat.mtimeSeconds &&
        this.#cell(row, Cell.MTIME_NANOSECONDS) === stat.mtimeNanoseconds;
  }

  #add(id: number, stat: HostStat, parent: Row, name: Uint8Array): Row {
    const row = this.#allocate(NAME_OFFSET + name.length);
    const cells = this.#cells;
    const doubles = this.#doubles;
    doubles[row + Double.ID] = id;
    doubles[row + Double.INO] = stat.ino;
    doubles[row + Double.SIZE] = stat.size;
    doubles[row + Double.MTIME_SECONDS] = stat.mtimeSeconds;
    const bucket = bucketOf(id);
    cells[cellIndex(row, Cell.NEXT)] = cells[bucket]!;
    cells[cellIndex(row, Cell.PARENT)] = parent;
    cells[cellIndex(row, Cell.DEVICE)] = stat.device | 0;
    cells[cellIndex(row, Cell.MTIME_NANOSECONDS)] = stat.mtimeNanoseconds;
    cells[cellIndex(row, Cell.TYPE)] = stat.mode & FileType.MASK;
    cells[cellIndex(row, Cell.NAME_LENGTH)] = name.length;
    this.#bytes.set(name, row * UNIT + NAME_OFFSET);
    // From here on others find it.
    Atomics.store(cells, bucket, row);
    return row;
  }

  #allocate(sizeBytes: number): Row {
    const row = this.#cells[Header.NEXT]!;
    const next = row + Math.ceil(sizeBytes / UNIT);
    const end = next * UNIT;
    if (end > MEMORY_MAX) {
      throw new LimitError("The directory has more files than can be looked at at once", {
        hint: "Open a part of it",
      });
    }
    if (end > this.#memory.byteLength) {
      this.#memory.grow(Math.min(MEMORY_MAX, 2 * this.#memory.byteLength));
    }
    this.#cells[Header.NEXT] = next;
    return row;
  }

  #double(row: Row, index: number): number {
    return this.#doubles[row + index]!;
  }

  #cell(row: Row, index: number): number {
    return this.#cells[cellIndex(row, index)]!;
  }
}

function bucketOf(id: number): number {
  const high = Math.floor(id / BUCKET_COUNT);
  return Header.CELLS + ((id ^ Math.imul(high, 0x9e3779b1)) & (BUCKET_COUNT - 1));
}

function cellIndex(row: Row, cell: number): number {
  return row * (UNIT / 4) + cell;
}
