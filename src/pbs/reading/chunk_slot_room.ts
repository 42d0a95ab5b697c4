/**
 * Which of the shared chunks go when there is no room for another.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { type ChunkSlots, pagesFor, SLOT_COUNT, SlotState } from "./shared_chunk_memory.ts";

/**
 * Finds a slot for a chunk; what was used longest ago goes where the budget needs it. Under the
 * lock.
 *
 * @returns -1 when the chunk is too large or too much is in use
 */
export function reserveSlot(slots: ChunkSlots, digest: ChunkDigest, size: number): number {
  if (size > slots.slotSize) return -1;
  const slot = makeRoom(slots, pagesFor(size));
  if (slot >= 0) slots.assign(slot, digest, size);
  return slot;
}

/** An empty slot for `size` bytes, whole pages. */
function makeRoom(slots: ChunkSlots, size: number): number {
  const slot = chooseSlot(slots, size);
  if (slot < 0) return -1;
  slots.setState(slot, SlotState.EMPTY);
  if (slots.writtenOf(slot) > 2 * size) slots.trim(slot, size);
  while (slots.writtenBytes + growth(slots, slot, size) > slots.budgetBytes) {
    const empty = emptySlot(slots, slot);
    const other = empty >= 0 && slots.writtenOf(empty) > 0 ? empty : oldestSlot(slots, slot);
    if (other < 0) return -1;
    slots.setState(other, SlotState.EMPTY);
    slots.trim(other, 0);
  }
  return slot;
}

/** Memory that is there already is better than new one. */
function chooseSlot(slots: ChunkSlots, size: number): number {
  const empty = emptySlot(slots);
  const isWithinBudget = empty >= 0 &&
    slots.writtenBytes + growth(slots, empty, size) <= slots.budgetBytes;
  if (isWithinBudget) return empty;
  const oldest = oldestSlot(slots);
  return oldest >= 0 ? oldest : empty;
}

/** Bytes that a slot takes more when so many are put there. */
function growth(slots: ChunkSlots, slot: number, size: number): number {
  return Math.max(0, size - slots.writtenOf(slot));
}

/** The empty slot with most memory. */
function emptySlot(slots: ChunkSlots, besides = -1): number {
  let found = -1;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (slot === besides || slots.stateOf(slot) !== SlotState.EMPTY) continue;
    if (!slots.isUnused(slot)) continue;
    if (found < 0 || slots.writtenOf(slot) > slots.writtenOf(found)) found = slot;
  }
  return found;
}

/** The slot with a chunk that was used longest ago and that nobody uses now. */
function oldestSlot(slots: ChunkSlots, besides = -1): number {
  let found = -1;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const state = slots.stateOf(slot);
    if (state !== SlotState.READY && state !== SlotState.WANTED) continue;
    if (slot === besides || !slots.isUnused(slot)) continue;
    if (found < 0 || slots.ageOf(slot) > slots.ageOf(found)) found = slot;
  }
  return found;
}
