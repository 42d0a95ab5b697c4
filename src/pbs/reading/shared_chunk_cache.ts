/**
 * Decoded chunks that all threads of a mount share: each is loaded once, by whichever thread needs
 * it first or has time.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { NO_WAIT_GATE, waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import { reserveSlot } from "./chunk_slot_room.ts";
import type { ChunkPart, DecodedChunks } from "./chunked_source.ts";
import type { ChunkSource } from "../ports.ts";
import { GatedChunks } from "./gated_chunks.ts";
import { ChunkSlots, type SharedChunkMemory, SlotState } from "./shared_chunk_memory.ts";

/** Before so many bytes were read in order, a thread that reads ahead costs more than it helps. */
const START_SIZE_DEFAULT = 24 << 20;
/** A thread that takes longer to load a chunk has ended, or its store does not answer. */
const LOAD_TIMEOUT_MS = 5000;

/** What a thread needs to use shared chunks. */
export interface SharedChunkCacheParts {
  readonly memory: SharedChunkMemory;
  /** Loads chunks in this thread. */
  readonly chunks: ChunkSource;
  readonly allocate: (size: number) => NativeBuffer;
  /**
   * Starts the thread that loads what is wanted soon. Is called in one of the threads only. Without
   * it nothing is read ahead.
   */
  readonly startLoader?: (() => void) | undefined;
  /** So many bytes are read in order before that. Default: 24 MiB. */
  readonly startBytes?: number | undefined;
  /** Is told of waits for chunks, whether this thread loads them or another one. */
  readonly gate?: WaitGate | undefined;
  /** How long another thread's loading is waited for. Default: 5,000. */
  readonly loadTimeoutMs?: number | undefined;
}

/** What {@link SharedChunkCache} finds of a chunk. */
const Found = { READY: 0, LOADING: 1, TO_LOAD: 2, NO_ROOM: 3 } as const;
type Found = (typeof Found)[keyof typeof Found];

/** One thread's access to the chunks that all share. */
export class SharedChunkCache implements DecodedChunks {
  readonly #parts: SharedChunkCacheParts;
  readonly #slots: ChunkSlots;
  readonly #gate: WaitGate;
  readonly #chunks: ChunkSource;
  /** The slot that {@link #find} found. */
  #slot = -1;

  constructor(parts: SharedChunkCacheParts) {
    this.#parts = parts;
    this.#slots = new ChunkSlots(parts.memory);
    this.#gate = parts.gate ?? NO_WAIT_GATE;
    this.#chunks = parts.gate === undefined
      ? parts.chunks
      : new GatedChunks(parts.chunks, parts.gate);
  }

  copy(part: ChunkPart, target: NativeBuffer, start: number): void {
    const { digest, size, from, count } = part;
    const slot = this.#pin(digest, size);
    if (slot < 0) return this.#copyUnshared(part, target, start);
    try {
      const { bytes } = this.#slots.bufferOf(slot);
      target.bytes.set(bytes.subarray(from, from + count), start);
    } finally {
      this.#slots.unpin(slot);
    }
  }

  /**
   * Says that a chunk will be wanted soon.
   *
   * @param announce called before another thread is told to load it
   * @returns false when nothing was done about it
   */
  expect(digest: ChunkDigest, size: number, announce: () => void): boolean {
    const { startLoader, startBytes = START_SIZE_DEFAULT } = this.#parts;
    if (startLoader === undefined || this.#slots.countInOrder(size) < startBytes) return false;
    const slots = this.#slots;
    if (!slots.lock()) return false;
    try {
      if (slots.find(digest, size) >= 0) return true;
      const slot = reserveSlot(slots, digest, size);
      if (slot < 0) return false;
      slots.setState(slot, SlotState.WANTED);
    } finally {
      slots.unlock();
    }
    announce();
    slots.call();
    if (slots.becomeLoaderOwner()) startQuietly(startLoader);
    return true;
  }

  /**
   * The slot of a chunk, which is loaded if need be, to be unpinned; -1 when there is none for it.
   */
  #pin(digest: ChunkDigest, size: number): number {
    const { loadTimeoutMs = LOAD_TIMEOUT_MS } = this.#parts;
    let deadline: number | undefined;
    for (;;) {
      const found = this.#find(digest, size);
      const slot = this.#slot;
      switch (found) {
        case Found.READY:
          return slot;
        case Found.NO_ROOM:
          return -1;
        case Found.TO_LOAD:
          loadSlot(this.#slots, slot, this.#chunks, true);
          return slot;
        case Found.LOADING:
          deadline ??= performance.now() + loadTimeoutMs;
          if (this.#waitForOther(slot, deadline)) break;
          this.#abandon(digest, size);
          return -1;
      }
    }
  }

  /**
   * Looks for a chunk. Unless another thread loads it or there is no room, {@link #slot} is pinned
   * then.
   */
  #find(digest: ChunkDigest, size: number): Found {
    const slots = this.#slots;
    if (!slots.lock()) return Found.NO_ROOM;
    try {
      const known = slots.find(digest, size);
      this.#slot = known >= 0 ? known : reserveSlot(slots, digest, size);
      if (this.#slot < 0) return Found.NO_ROOM;
      const state = known < 0 ? SlotState.EMPTY : slots.stateOf(known);
      if (state === SlotState.LOADING) return Found.LOADING;
      slots.touch(this.#slot);
      slots.pin(this.#slot);
      if (state === SlotState.READY) return Found.READY;
      slots.setState(this.#slot, SlotState.LOADING);
      return Found.TO_LOAD;
    } finally {
      slots.unlock();
    }
  }

  /**
   * Waits for another thread to load a slot; loads what is wanted next meanwhile. @returns false
   * when the time is over
   */
  #waitForOther(slot: number, deadline: number): boolean {
    return waitAt(this.#gate, () => {
      if (loadWanted(this.#slots, this.#chunks)) return true;
      const rest = deadline - performance.now();
      return rest > 0 && this.#slots.waitWhileLoading(slot, rest);
    });
  }

  /** Lets nobody else wait for a thread that does not come to an end with loading. */
  #abandon(digest: ChunkDigest, size: number): void {
    const slots = this.#slots;
    if (!slots.lock()) return;
    const slot = slots.find(digest, size);
    if (slot >= 0 && slots.stateOf(slot) === SlotState.LOADING) {
      slots.setState(slot, SlotState.ABANDONED);
    }
    slots.unlock();
  }

  #copyUnshared(
    { digest, size, from, count }: ChunkPart,
    target: NativeBuffer,
    start: number,
  ): void {
    const buffer = this.#parts.allocate(size);
    this.#chunks.load(digest, size, buffer, 0);
    target.bytes.set(buffer.bytes.subarray(from, from + count), start);
  }
}

/**
 * Reading ahead is a help: where no thread can be started for it, what was asked for is still read.
 */
function startQuietly(startLoader: () => void): void {
  try {
    startLoader();
  } catch {
    // What is wanted is loaded by who needs it.
  }
}

/**
 * Loads a chunk that another thread asked for, if there is one. What is wrong with it is found out
 * by who needs it.
 *
 * @returns whether there was one
 */
export function loadWanted(slots: ChunkSlots, chunks: ChunkSource): boolean {
  if (!slots.lock()) return false;
  const slot = slots.findWanted();
  if (slot >= 0) {
    slots.pin(slot);
    slots.setState(slot, SlotState.LOADING);
  }
  slots.unlock();
  if (slot < 0) return false;
  try {
    loadSlot(slots, slot, chunks, false);
  } catch {
    // The slot is empty again.
  }
  return true;
}

/** Fills a slot that this thread has pinned. It stays pinned if `isKept`, unless it throws. */
function loadSlot(slots: ChunkSlots, slot: number, chunks: ChunkSource, isKept: boolean): void {
  try {
    chunks.load(slots.digestOf(slot), slots.sizeOf(slot), slots.bufferOf(slot), 0);
  } catch (error) {
    slots.setState(slot, SlotState.EMPTY);
    slots.unpin(slot);
    throw error;
  }
  slots.setState(slot, SlotState.READY);
  if (!isKept) slots.unpin(slot);
}
