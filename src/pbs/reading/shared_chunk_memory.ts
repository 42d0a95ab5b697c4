/**
 * The memory of decoded chunks that several threads share: which chunk lies where, and who uses it.
 *
 * There are slots of address space for the largest chunks; only what was written of a slot takes
 * memory. All changes of what is where are made under one lock, for a moment.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { bufferAt, discardMemory } from "#ffi/libc/memory.ts";
import { acquireLock, breakLock, releaseLock } from "#src/threads/lock.ts";
import { addAndWake, storeAndWake, waitWhile } from "#src/threads/waiting.ts";

/** The largest chunks that backups are cut into. Larger ones are not kept. */
export const KEPT_CHUNK_SIZE_MAX = 16 << 20;
/** With chunks of the usual size the budget is used up before the slots. */
export const SLOT_COUNT = 32;
const PAGE_SIZE = 4096;
/** Nobody who lives holds the lock for so long. */
const LOCK_TIMEOUT_MS = 5000;

const Cell = {
  LOCK: 0,
  /** Counts uses: a slot's last use is one of its values. */
  CLOCK: 1,
  /** Changes when a chunk is wanted, or no more will be. */
  CALL: 2,
  IS_STOPPED: 3,
  HAS_LOADER: 4,
  /** KiB that were read in order. */
  IN_ORDER: 5,
} as const;
const SLOTS = 16;
const SLOT_CELLS = 16;
/** Cells of a slot; a digest has eight. */
const Slot = { STATE: 0, SIZE: 1, USERS: 2, LAST_USE: 3, WRITTEN: 4, DIGEST: 8 } as const;

/** What is in a slot. */
export const SlotState = {
  EMPTY: 0,
  /** Shall be loaded by whoever has time. */
  WANTED: 1,
  LOADING: 2,
  READY: 3,
  /** Is being loaded by a thread that nobody waits for any more. */
  ABANDONED: 4,
} as const;

/** Can be posted to a Worker. */
export interface SharedChunkMemory {
  /** The lock and the table of slots. */
  readonly control: SharedArrayBuffer;
  /** Decoded chunks, one for each slot in use. */
  readonly data: SharedArrayBuffer;
  /** Most bytes of decoded chunks. */
  readonly budgetBytes: number;
}

/** Makes memory that at most `budgetBytes` are used of. */
export function createSharedChunkMemory(budgetBytes: number): SharedChunkMemory {
  return {
    control: new SharedArrayBuffer((SLOTS + SLOT_COUNT * SLOT_CELLS) * 4),
    // One page more, since it does not begin at a page's start.
    data: new SharedArrayBuffer(SLOT_COUNT * slotSizeFor(budgetBytes) + PAGE_SIZE),
    budgetBytes,
  };
}

/** The memory as one thread sees it. Methods that say so are called with {@link lock} held. */
export class ChunkSlots {
  readonly #memory: SharedChunkMemory;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #slotSize: number;
  readonly #address: bigint;
  readonly #buffers: (NativeBuffer | undefined)[] = [];
  /** The digest that was last looked for, as cells. */
  #digest = "" as ChunkDigest;
  #digestCells = new Int32Array(DIGEST_SIZE / 4);

  constructor(memory: SharedChunkMemory) {
    this.#memory = memory;
    this.#cells = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.control);
    this.#slotSize = slotSizeFor(memory.budgetBytes);
    const data = new Uint8Array(memory.data as unknown as ArrayBuffer);
    this.#address = roundUp(nativeBufferOf(data).address);
  }

  /**
   * Takes the lock. @returns false when a thread has ended with it: nothing that it guards may be
   * touched any more
   */
  lock(): boolean {
    if (acquireLock(this.#cells, Cell.LOCK, LOCK_TIMEOUT_MS)) return true;
    breakLock(this.#cells, Cell.LOCK);
    return false;
  }

  /** Gives the lock back. */
  unlock(): void {
    releaseLock(this.#cells, Cell.LOCK);
  }

  /** Bytes of memory that slots take. */
  get writtenBytes(): number {
    let sum = 0;
    for (let slot = 0; slot < SLOT_COUNT; slot++) sum += this.writtenOf(slot);
    return sum;
  }

  /** Bytes of memory that a slot takes, whole pages. */
  writtenOf(slot: number): number {
    return this.#get(slot, Slot.WRITTEN);
  }

  get budgetBytes(): number {
    return this.#memory.budgetBytes;
  }

  /** Larger chunks are not kept. */
  get slotSize(): number {
    return this.#slotSize;
  }

  /** The bytes of a slot, which only who loads or uses it may touch. */
  bufferOf(slot: number): NativeBuffer {
    return this.#buffers[slot] ??= bufferAt(
      this.#address + BigInt(slot * this.#slotSize),
      this.#slotSize,
    );
  }

  stateOf(slot: number): number {
    return Atomics.load(this.#cells, cellOf(slot) + Slot.STATE);
  }

  sizeOf(slot: number): number {
    return this.#get(slot, Slot.SIZE);
  }

  digestOf(slot: number): ChunkDigest {
    const start = (cellOf(slot) + Slot.DIGEST) * 4;
    return digestOf(this.#bytes.slice(start, start + DIGEST_SIZE));
  }

  /** The slot that has a chunk, or will; -1 when there is none. Under the lock. */
  find(digest: ChunkDigest, size: number): number {
    this.#lookFor(digest);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const state = this.stateOf(slot);
      if (state === SlotState.EMPTY || state === SlotState.ABANDONED) continue;
      // An index may name a chunk with two sizes: one of them is wrong, and loading tells which.
      if (this.#get(slot, Slot.SIZE) === size && this.#hasDigest(slot)) return slot;
    }
    return -1;
  }

  /** A slot that somebody shall load. Under the lock. @returns -1 when there is none */
  findWanted(): number {
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (this.stateOf(slot) === SlotState.WANTED) return slot;
    }
    return -1;
  }

  /** Says that a chunk goes to an empty slot, which takes memory for it. Under the lock. */
  assign(slot: number, digest: ChunkDigest, size: number): void {
    this.#lookFor(digest);
    const cell = cellOf(slot);
    this.#cells[cell + Slot.SIZE] = size;
    this.#cells[cell + Slot.WRITTEN] = Math.max(this.#cells[cell + Slot.WRITTEN]!, pagesFor(size));
    this.#cells.set(this.#digestCells, cell + Slot.DIGEST);
    this.touch(slot);
  }

  /** Says that a slot is used now. Under the lock. */
  touch(slot: number): void {
    this.#cells[cellOf(slot) + Slot.LAST_USE] = ++this.#cells[Cell.CLOCK]!;
  }

  /** Keeps a slot where it is until {@link unpin}. Under the lock. */
  pin(slot: number): void {
    Atomics.add(this.#cells, cellOf(slot) + Slot.USERS, 1);
  }

  /** How many uses of slots ago this one was used. */
  ageOf(slot: number): number {
    return (this.#cells[Cell.CLOCK]! - this.#get(slot, Slot.LAST_USE)) >>> 0;
  }

  /** Whether nobody keeps a slot where it is. Under the lock. */
  isUnused(slot: number): boolean {
    return Atomics.load(this.#cells, cellOf(slot) + Slot.USERS) === 0;
  }

  /** Gives the memory of an empty slot back, but `keptBytes` of whole pages. Under the lock. */
  trim(slot: number, keptBytes: number): void {
    const start = this.#address + BigInt(slot * this.#slotSize + keptBytes);
    discardMemory(start, this.writtenOf(slot) - keptBytes);
    this.#cells[cellOf(slot) + Slot.WRITTEN] = keptBytes;
  }

  /** Undoes one {@link pin}. */
  unpin(slot: number): void {
    Atomics.sub(this.#cells, cellOf(slot) + Slot.USERS, 1);
  }

  /** Under the lock, or by the thread that loads the slot. Whoever waits for the slot wakes up. */
  setState(slot: number, state: number): void {
    storeAndWake(this.#cells, cellOf(slot) + Slot.STATE, state);
  }

  /** Sleeps until a slot is no longer being loaded. @returns false when the time was over before */
  waitWhileLoading(slot: number, timeoutMs: number): boolean {
    return waitWhile(this.#cells, cellOf(slot) + Slot.STATE, SlotState.LOADING, timeoutMs);
  }

  /** Counts bytes that were read in order. @returns all of them */
  countInOrder(size: number): number {
    const kibibytes = Math.ceil(size / 1024);
    return 1024 * (Atomics.add(this.#cells, Cell.IN_ORDER, kibibytes) + kibibytes);
  }

  /** Whether the caller is the one to start the thread that loads what is wanted. */
  becomeLoaderOwner(): boolean {
    return Atomics.compareExchange(this.#cells, Cell.HAS_LOADER, 0, 1) === 0;
  }

  /** What {@link waitForCall} wants to know. */
  get callCount(): number {
    return Atomics.load(this.#cells, Cell.CALL);
  }

  /** Wakes who loads what is wanted. */
  call(): void {
    addAndWake(this.#cells, Cell.CALL, 1);
  }

  /** Sleeps until there was a call after the one with number `seen`. */
  waitForCall(seen: number): void {
    waitWhile(this.#cells, Cell.CALL, seen);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#cells, Cell.IS_STOPPED) !== 0;
  }

  /** Ends the thread that loads what is wanted. */
  stop(): void {
    Atomics.store(this.#cells, Cell.IS_STOPPED, 1);
    this.call();
  }

  #lookFor(digest: ChunkDigest): void {
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#digestCells = new Int32Array(digestBytes(digest).buffer);
  }

  #hasDigest(slot: number): boolean {
    const start = cellOf(slot) + Slot.DIGEST;
    return this.#digestCells.every((value, index) => this.#cells[start + index] === value);
  }

  #get(slot: number, field: number): number {
    return this.#cells[cellOf(slot) + field]!;
  }
}

function cellOf(slot: number): number {
  return SLOTS + slot * SLOT_CELLS;
}

function slotSizeFor(budgetBytes: number): number {
  return pagesFor(Math.min(KEPT_CHUNK_SIZE_MAX, budgetBytes));
}

/** A size in whole pages. */
export function pagesFor(size: number): number {
  return Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
}

function roundUp(address: bigint): bigint {
  const size = BigInt(PAGE_SIZE);
  return (address + size - 1n) / size * size;
}
