/**
 * The nodes that the kernel knows, in memory shared by all FUSE workers.
 *
 * A node is a *slot* (index) in the table. Its node id is `generation * 2^32 + slot`; the
 * generation grows each time a slot is used again, so an id never means another file. The table
 * holds no sizes, times or modes: those are asked of the host each time. It holds only what the
 * host cannot tell: where a node is in the mounted tree, what stands for it in the diff and in the
 * lower tree, and the descriptor all openers share. How it lies in memory: `node_layout.ts`.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import { LimitError, StateError } from "#src/errors.ts";
import { NO_WAIT_GATE, type WaitGate } from "#src/io/wait_gate.ts";
import { releaseLock } from "#src/threads/lock.ts";
import { acquireGated } from "./gated_lock.ts";
import { Flag } from "./node_flags.ts";
import { NameStore } from "./name_store.ts";
import {
  Double,
  FIRST_SLOT,
  GENERATION_MAX,
  HASH_SIZE,
  Header,
  HEADER_BYTES,
  LONG_NAMES_OFFSET,
  NODE_COUNT_MAX,
  NODES_OFFSET,
  RECORD_BYTES,
  RECORD_DOUBLES,
  RECORD_WORDS,
  Word,
} from "./node_layout.ts";

/**
 * With more nodes than this, those are forgotten too that are kept only for their inode numbers.
 */
const KEPT_NODE_COUNT_MAX = NODE_COUNT_MAX / 4;

/** Remembers whether a write must look for set-user-id and set-group-id bits. */
export function noteMode(table: NodeTable, slot: number, mode: number): void {
  if ((mode & 0o6000) !== 0) table.setFlags(slot, Flag.SETID);
}

/** First inode number shown for nodes of the lower tree; host inode numbers are far below. */
const LOWER_INO_BASE = 2 ** 48;

/** Hash key and inode number of a node that stands only in the lower tree, or came from it. */
export function lowerKey(lowerId: number): number {
  return LOWER_INO_BASE + lowerId;
}

/** Slot of the root directory. */
export const ROOT_SLOT = FIRST_SLOT;

/**
 * One thread's view of the shared table. Methods that change the table's shape want the namespace
 * lock.
 *
 * Lock order: namespace, then node. Neither is held while another worker is waited for.
 */
export class NodeTable {
  readonly #header: Int32Array<SharedArrayBuffer>;
  readonly #hash: Int32Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;
  readonly #names: NameStore;
  readonly #gate: WaitGate;

  /** @param gate is called around waits for locks that other threads hold */
  constructor(memory: SharedArrayBuffer, gate: WaitGate = NO_WAIT_GATE) {
    this.#gate = gate;
    this.#header = new Int32Array(memory, 0, Header.WORDS);
    this.#hash = new Int32Array(memory, HEADER_BYTES, HASH_SIZE);
    this.#words = new Int32Array(memory, NODES_OFFSET, NODE_COUNT_MAX * RECORD_WORDS);
    this.#doubles = new Float64Array(memory, NODES_OFFSET, NODE_COUNT_MAX * RECORD_DOUBLES);
    this.#names = new NameStore(memory, {
      recordsOffset: NODES_OFFSET,
      recordSize: RECORD_BYTES,
      recordCount: NODE_COUNT_MAX,
      arenaOffset: LONG_NAMES_OFFSET,
    });
  }

  /** @throws {StateError} `timeout` when the holder does not let go */
  lockNamespace(): void {
    if (acquireGated(this.#header, Header.NAMESPACE_MUTEX, this.#gate)) return;
    throw new StateError("timeout", "Cannot lock the names of a mount: the holder does not let go");
  }

  unlockNamespace(): void {
    releaseLock(this.#header, Header.NAMESPACE_MUTEX);
  }

  /** @throws {StateError} `timeout` when the holder does not let go */
  lockNode(slot: number): void {
    if (acquireGated(this.#words, slot * RECORD_WORDS + Word.MUTEX, this.#gate)) return;
    throw new StateError("timeout", `Cannot lock node ${slot}: the holder does not let go`);
  }

  unlockNode(slot: number): void {
    releaseLock(this.#words, slot * RECORD_WORDS + Word.MUTEX);
  }

  /** A number that no other call returns: for names in the diff's `tmp` directory. */
  nextTemporaryNumber(): number {
    return Atomics.add(this.#header, Header.TEMPORARY_NAME, 1);
  }

  /** Whether files of the diff may be whole copies that were not synced. */
  get hasCopies(): boolean {
    return Atomics.load(this.#header, Header.HAS_COPIES) !== 0;
  }

  noteCopies(): void {
    Atomics.store(this.#header, Header.HAS_COPIES, 1);
  }

  /** Whether files of the lower tree with several names may have been changed. */
  get hasLinkedFiles(): boolean {
    return Atomics.load(this.#header, Header.HAS_LINKED_FILES) !== 0;
  }

  noteLinkedFiles(): void {
    Atomics.store(this.#header, Header.HAS_LINKED_FILES, 1);
  }

  /**
   * Changes whenever something that may not stand whole in the diff gets another name: who walks
   * the tree meanwhile may have missed it.
   */
  get moves(): number {
    return Atomics.load(this.#header, Header.MOVES);
  }

  /** Before a node gets another name. */
  noteMove(slot: number): void {
    const isWhole = this.type(slot) === EntryType.FILE &&
      (this.flags(slot) & (Flag.UPPER | Flag.PARTIAL | Flag.COPY_UNSYNCED)) === Flag.UPPER;
    if (!isWhole) Atomics.add(this.#header, Header.MOVES, 1);
  }

  /** Nodes known at present. */
  get nodeCount(): number {
    return Atomics.load(this.#header, Header.NODE_COUNT);
  }

  /**
   * Whether a node stays when the kernel has forgotten it, so that its file keeps its inode number
   * for the life of the mount.
   */
  isKept(slot: number): boolean {
    const flags = this.flags(slot) & (Flag.INO_UNRECORDED | Flag.DELETED);
    return flags === Flag.INO_UNRECORDED && this.nodeCount <= KEPT_NODE_COUNT_MAX;
  }

  /** Handles open at present. */
  get openCount(): number {
    return Atomics.load(this.#header, Header.OPEN_COUNT);
  }

  /** The slot of a node id, or 0 when the id is not (or no longer) valid. */
  slotOf(nodeId: number): number {
    const slot = nodeId >>> 0;
    if (slot === 0 || slot >= NODE_COUNT_MAX) return 0;
    const base = slot * RECORD_WORDS;
    const generation = Math.floor(nodeId / 0x1_0000_0000);
    if (this.#words[base + Word.GENERATION] !== generation) return 0;
    return (this.#words[base + Word.FLAGS]! & Flag.ALLOCATED) !== 0 ? slot : 0;
  }

  nodeIdOf(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.GENERATION]! * 0x1_0000_0000 + slot;
  }

  flags(slot: number): number {
    return Atomics.load(this.#words, slot * RECORD_WORDS + Word.FLAGS);
  }

  has(slot: number, flag: number): boolean {
    return (this.flags(slot) & flag) !== 0;
  }

  setFlags(slot: number, flags: number): void {
    Atomics.or(this.#words, slot * RECORD_WORDS + Word.FLAGS, flags);
  }

  clearFlags(slot: number, flags: number): void {
    Atomics.and(this.#words, slot * RECORD_WORDS + Word.FLAGS, ~flags);
  }

  parent(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.PARENT]!;
  }

  type(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.TYPE]!;
  }

  fd(slot: number): number {
    return Atomics.load(this.#words, slot * RECORD_WORDS + Word.FD);
  }

  setFd(slot: number, fd: number): void {
    Atomics.store(this.#words, slot * RECORD_WORDS + Word.FD, fd);
  }

  backing(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.BACKING]!;
  }

  setBacking(slot: number, id: number): void {
    this.#words[slot * RECORD_WORDS + Word.BACKING] = id;
  }

  ioMode(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.IO_MODE]!;
  }

  setIoMode(slot: number, mode: number): void {
    this.#words[slot * RECORD_WORDS + Word.IO_MODE] = mode;
  }

  dataOffset(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.DATA_OFFSET]!;
  }

  mapBlocks(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.MAP_BLOCKS]!;
  }

  limit(slot: number): number {
    return this.#doubles[slot * RECORD_DOUBLES + Double.LIMIT]!;
  }

  setLimit(slot: number, limit: number): void {
    this.#doubles[slot * RECORD_DOUBLES + Double.LIMIT] = limit;
  }

  lowerId(slot: number): number {
    return this.#doubles[slot * RECORD_DOUBLES + Double.LOWER_ID]!;
  }

  setLowerId(slot: number, lowerId: number): void {
    this.#doubles[slot * RECORD_DOUBLES + Double.LOWER_ID] = lowerId;
  }

  ino(slot: number): number {
    return this.#doubles[slot * RECORD_DOUBLES + Double.INO]!;
  }

  lookups(slot: number): number {
    return Atomics.load(this.#words, slot * RECORD_WORDS + Word.LOOKUPS);
  }

  opens(slot: number): number {
    return Atomics.load(this.#words, slot * RECORD_WORDS + Word.OPENS);
  }

  children(slot: number): number {
    return this.#words[slot * RECORD_WORDS + Word.CHILDREN]!;
  }

  /** Adds to the lookup count. @returns the new count */
  addLookups(slot: number, count: number): number {
    return Atomics.add(this.#words, slot * RECORD_WORDS + Word.LOOKUPS, count) + count;
  }

  /** Adds to the count of open handles. @returns the new count */
  addOpens(slot: number, count: number): number {
    Atomics.add(this.#header, Header.OPEN_COUNT, count);
    return Atomics.add(this.#words, slot * RECORD_WORDS + Word.OPENS, count) + count;
  }

  /** Adds to the number of threads that make the block map durable. @returns the new number */
  addSettlers(slot: number, count: number): number {
    return Atomics.add(this.#words, slot * RECORD_WORDS + Word.SETTLERS, count) + count;
  }

  /** What {@link Flag.PARTIAL} needs to know. */
  setPartial(slot: number, dataOffset: number, mapBlocks: number, limit: number): void {
    const base = slot * RECORD_WORDS;
    this.#words[base + Word.DATA_OFFSET] = dataOffset;
    this.#words[base + Word.MAP_BLOCKS] = mapBlocks;
    this.setLimit(slot, limit);
  }

  /** The slot with that key, or 0. */
  find(key: number): number {
    let slot = this.#hash[hashOf(key)]!;
    while (slot !== 0 && this.#doubles[slot * RECORD_DOUBLES + Double.KEY] !== key) {
      slot = this.#words[slot * RECORD_WORDS + Word.NEXT]!;
    }
    return slot;
  }

  /**
   * Makes a node without lookups.
   *
   * @throws {LimitError} when {@link NODE_COUNT_MAX} nodes are known
   */
  allocate(key: number, ino: number, type: number, parent: number, name: string): number {
    const slot = this.#takeSlot();
    const base = slot * RECORD_WORDS;
    for (let word = Word.FLAGS; word < RECORD_WORDS; word++) this.#words[base + word] = 0;
    this.#words[base + Word.FD] = -1;
    this.#words[base + Word.TYPE] = type;
    this.#doubles[slot * RECORD_DOUBLES + Double.INO] = ino;
    this.#names.write(slot, name);
    this.#words[base + Word.PARENT] = parent;
    if (parent !== 0) this.#words[parent * RECORD_WORDS + Word.CHILDREN]! += 1;
    this.#insert(slot, key);
    Atomics.store(this.#words, base + Word.FLAGS, Flag.ALLOCATED);
    Atomics.add(this.#header, Header.NODE_COUNT, 1);
    return slot;
  }

  /** Frees a node without lookups, handles and children. Its descriptor must be closed. */
  free(slot: number): void {
    const base = slot * RECORD_WORDS;
    this.#remove(slot);
    this.#names.release(slot);
    const parent = this.#words[base + Word.PARENT]!;
    if (parent !== 0) this.#words[parent * RECORD_WORDS + Word.CHILDREN]! -= 1;
    Atomics.store(this.#words, base + Word.FLAGS, 0);
    Atomics.sub(this.#header, Header.NODE_COUNT, 1);
    // A slot whose generations are used up is not used again: its ids would repeat.
    if (this.#words[base + Word.GENERATION]! >= GENERATION_MAX) return;
    this.#words[base + Word.GENERATION]! += 1;
    this.#words[base + Word.NEXT] = 0;
    const tail = this.#header[Header.FREE_TAIL]!;
    if (tail === 0) this.#header[Header.FREE_HEAD] = slot;
    else this.#words[tail * RECORD_WORDS + Word.NEXT] = slot;
    this.#header[Header.FREE_TAIL] = slot;
  }

  /** Gives a node another key: when it came to stand in the diff. */
  setKey(slot: number, key: number): void {
    this.#remove(slot);
    this.#insert(slot, key);
  }

  /** The name under which the node was found last. */
  name(slot: number): string {
    return this.#names.read(slot);
  }

  /** Moves a node to another directory or name. */
  move(slot: number, parent: number, name: string): void {
    const base = slot * RECORD_WORDS;
    const former = this.#words[base + Word.PARENT]!;
    if (former !== parent) {
      if (former !== 0) this.#words[former * RECORD_WORDS + Word.CHILDREN]! -= 1;
      this.#words[parent * RECORD_WORDS + Word.CHILDREN]! += 1;
      this.#words[base + Word.PARENT] = parent;
    }
    this.#names.release(slot);
    this.#names.write(slot, name);
  }

  #takeSlot(): number {
    // Oldest first, so that generations grow evenly.
    const free = this.#header[Header.FREE_HEAD]!;
    if (free !== 0) {
      const next = this.#words[free * RECORD_WORDS + Word.NEXT]!;
      this.#header[Header.FREE_HEAD] = next;
      if (next === 0) this.#header[Header.FREE_TAIL] = 0;
      return free;
    }
    const fresh = this.#header[Header.FRESH]!;
    if (fresh >= NODE_COUNT_MAX) {
      throw new LimitError(`Cannot keep more than ${NODE_COUNT_MAX} nodes`);
    }
    this.#header[Header.FRESH] = fresh + 1;
    return fresh;
  }

  #insert(slot: number, key: number): void {
    const bucket = hashOf(key);
    this.#doubles[slot * RECORD_DOUBLES + Double.KEY] = key;
    this.#words[slot * RECORD_WORDS + Word.NEXT] = this.#hash[bucket]!;
    this.#hash[bucket] = slot;
  }

  #remove(slot: number): void {
    const bucket = hashOf(this.#doubles[slot * RECORD_DOUBLES + Double.KEY]!);
    let current = this.#hash[bucket]!;
    if (current === slot) {
      this.#hash[bucket] = this.#words[slot * RECORD_WORDS + Word.NEXT]!;
      return;
    }
    while (current !== 0) {
      const next = this.#words[current * RECORD_WORDS + Word.NEXT]!;
      if (next === slot) {
        this.#words[current * RECORD_WORDS + Word.NEXT] = this.#words[
          slot * RECORD_WORDS + Word.NEXT
        ]!;
        return;
      }
      current = next;
    }
  }
}

function hashOf(key: number): number {
  const low = key >>> 0;
  const high = Math.floor(key / 0x1_0000_0000);
  return (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 12) & (HASH_SIZE - 1);
}
