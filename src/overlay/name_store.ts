/**
 * The names of nodes in shared memory: short ones inside of the node's record, long ones in blocks
 * of their own.
 *
 * In the record: word 11 the length in bytes, word 12 the number of the block or 0, from byte 104
 * on the name when it has at most 24 bytes. The first block of the arena is its header: free list
 * and first block never used.
 *
 * Methods that change want the namespace lock.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { LimitError } from "#src/errors.ts";

const INLINE_NAME_MAX = 24;
const NAME_BYTE = 26 * 4;
const LENGTH_WORD = 11;
const BLOCK_WORD = 12;
const BLOCK_SIZE = 256;
const BLOCK_WORDS = BLOCK_SIZE / 4;
/** Most nodes with a long name at one time. */
const BLOCK_COUNT_MAX = 1 << 17;

/** Size of the arena of long names. Blocks never used take no memory. */
export const NAME_ARENA_BYTES = BLOCK_COUNT_MAX * BLOCK_SIZE;

const ArenaHeader = { FREE: 0, FRESH: 1 } as const;

/** Where records and arena are in the shared memory. */
export interface NameStoreLayout {
  readonly recordsOffset: number;
  readonly recordSize: number;
  readonly recordCount: number;
  readonly arenaOffset: number;
}

/** One thread's view of all names. */
export class NameStore {
  readonly #recordWords: Int32Array<SharedArrayBuffer>;
  readonly #recordBytes: Uint8Array<SharedArrayBuffer>;
  readonly #arenaWords: Int32Array<SharedArrayBuffer>;
  readonly #arenaBytes: Uint8Array<SharedArrayBuffer>;
  readonly #recordSize: number;

  constructor(memory: SharedArrayBuffer, layout: NameStoreLayout) {
    const { recordsOffset, recordSize, recordCount, arenaOffset } = layout;
    this.#recordSize = recordSize;
    this.#recordWords = new Int32Array(memory, recordsOffset, recordCount * recordSize / 4);
    this.#recordBytes = new Uint8Array(memory, recordsOffset, recordCount * recordSize);
    this.#arenaWords = new Int32Array(memory, arenaOffset, NAME_ARENA_BYTES / 4);
    this.#arenaBytes = new Uint8Array(memory, arenaOffset, NAME_ARENA_BYTES);
  }

  read(slot: number): string {
    const word = slot * this.#recordSize / 4;
    const length = this.#recordWords[word + LENGTH_WORD]!;
    const block = this.#recordWords[word + BLOCK_WORD]!;
    const bytes = block === 0 ? this.#recordBytes : this.#arenaBytes;
    const start = block === 0 ? slot * this.#recordSize + NAME_BYTE : block * BLOCK_SIZE;
    // The decoder does not take shared memory.
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
    return decodeFileName(copy);
  }

  /**
   * Stores the name of a node that has none.
   *
   * @throws {LimitError} when too many long names are stored
   */
  write(slot: number, name: string): void {
    const bytes = encodeFileName(name);
    const word = slot * this.#recordSize / 4;
    this.#recordWords[word + LENGTH_WORD] = bytes.length;
    if (bytes.length <= INLINE_NAME_MAX) {
      this.#recordWords[word + BLOCK_WORD] = 0;
      this.#recordBytes.set(bytes, slot * this.#recordSize + NAME_BYTE);
      return;
    }
    const block = this.#takeBlock();
    this.#recordWords[word + BLOCK_WORD] = block;
    this.#arenaBytes.set(bytes.subarray(0, BLOCK_SIZE), block * BLOCK_SIZE);
  }

  /** Forgets the name of a node. */
  release(slot: number): void {
    const word = slot * this.#recordSize / 4 + BLOCK_WORD;
    const block = this.#recordWords[word]!;
    if (block === 0) return;
    this.#arenaWords[block * BLOCK_WORDS] = this.#arenaWords[ArenaHeader.FREE]!;
    this.#arenaWords[ArenaHeader.FREE] = block;
    this.#recordWords[word] = 0;
  }

  #takeBlock(): number {
    const free = this.#arenaWords[ArenaHeader.FREE]!;
    if (free !== 0) {
      this.#arenaWords[ArenaHeader.FREE] = this.#arenaWords[free * BLOCK_WORDS]!;
      return free;
    }
    const fresh = this.#arenaWords[ArenaHeader.FRESH]! + 1;
    if (fresh >= BLOCK_COUNT_MAX) {
      throw new LimitError(`Cannot keep more than ${BLOCK_COUNT_MAX} nodes with long names`);
    }
    this.#arenaWords[ArenaHeader.FRESH] = fresh;
    return fresh;
  }
}
