/**
 * How the nodes of `node_table.ts` lie in shared memory: a header, a hash table, a record for each
 * node, and the names that do not fit into records.
 *
 * Record of 128 bytes (words of 4 bytes, doubles of 8):
 *
 * | word | content |
 * |---|---|
 * | 0 | generation |
 * | 1 | flags ({@link Flag}) |
 * | 2 | lookups the kernel holds |
 * | 3 | open handles |
 * | 4 | nodes whose parent this is |
 * | 5 | slot of the parent directory |
 * | 6 | descriptor in the diff, or -1 |
 * | 7 | backing id of kernel passthrough, or 0 |
 * | 8 | next slot in the hash chain or the free list |
 * | 9 | file type, an `EntryType` |
 * | 10 | mutex |
 * | 11, 12 | of `name_store.ts` |
 * | 13 | I/O mode of the open inode (`IoMode`) |
 * | 14, 15 | partial file: offset of its data; number of blocks in its map |
 * | 16 | double: key ({@link lowerKey}, or the host's inode number) |
 * | 18 | double: id in the lower tree, or 0 |
 * | 20 | double: inode number shown |
 * | 22 | double: partial file: bytes of the lower file that are still visible |
 * | 24 | threads that make the block map durable at this moment |
 * | 25 | free |
 * | 26… | of `name_store.ts` |
 *
 * @module
 */

import { NAME_ARENA_BYTES } from "./name_store.ts";

/** Most nodes the kernel may know at one time. Only those in use take memory. */
export const NODE_COUNT_MAX = 1 << 20;
/** Cells of the hash table. */
export const HASH_SIZE = 1 << 20;
/** Ids fit into 53 bits. */
export const GENERATION_MAX = (1 << 21) - 1;

/** Words of a record. */
export const RECORD_WORDS = 32;
/** Bytes of a record. */
export const RECORD_BYTES = RECORD_WORDS * 4;

/** Words at the start of the shared state that belong to no node. */
export const Header = {
  NAMESPACE_MUTEX: 0,
  // 1 and 6 are free.
  FREE_HEAD: 2,
  FREE_TAIL: 3,
  /** Slots from here on were never used. */
  FRESH: 4,
  /** How often something that the diff does not have whole got another name. */
  MOVES: 5,
  TEMPORARY_NAME: 7,
  NODE_COUNT: 8,
  OPEN_COUNT: 9,
  /** 1: the diff has, or had, whole copies that were not synced. */
  HAS_COPIES: 10,
  /** 1: links may wait for their names (`linked_files.ts`). */
  HAS_LINKED_FILES: 11,
  WORDS: 1024,
} as const;

/** Words of a record. */
export const Word = {
  GENERATION: 0,
  FLAGS: 1,
  LOOKUPS: 2,
  OPENS: 3,
  CHILDREN: 4,
  PARENT: 5,
  FD: 6,
  BACKING: 7,
  NEXT: 8,
  TYPE: 9,
  MUTEX: 10,
  IO_MODE: 13,
  DATA_OFFSET: 14,
  MAP_BLOCKS: 15,
  SETTLERS: 24,
} as const;

/** Doubles of a record. */
export const Double = { KEY: 8, LOWER_ID: 9, INO: 10, LIMIT: 11 } as const;
/** Doubles that a record has room for. */
export const RECORD_DOUBLES = RECORD_BYTES / 8;

/** Bytes of the header. */
export const HEADER_BYTES = Header.WORDS * 4;
const HASH_BYTES = HASH_SIZE * 4;
/** Where records begin. */
export const NODES_OFFSET = HEADER_BYTES + HASH_BYTES;
/** Where long names begin. */
export const LONG_NAMES_OFFSET = NODES_OFFSET + NODE_COUNT_MAX * RECORD_BYTES;
const TOTAL_BYTES = LONG_NAMES_OFFSET + NAME_ARENA_BYTES;

/** The first slot that is used: 0 means none. */
export const FIRST_SLOT = 1;

/** Makes the memory of an empty table. Untouched parts of it take no memory. */
export function createNodeTableMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(TOTAL_BYTES);
  const words = new Int32Array(memory, 0, Header.WORDS);
  words[Header.FRESH] = FIRST_SLOT;
  return memory;
}
