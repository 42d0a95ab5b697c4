/**
 * A lock in one cell of shared memory, for threads that block. Free, it takes about 20 ns.
 *
 * A thread that ends while it holds a lock never gives it back, so nobody waits without a limit.
 * What that means is the caller's to say: an operation fails, or the lock is broken, since what it
 * guards may be half changed.
 *
 * @module
 */

import { type SharedCells, storeAndWake, waitWhile } from "./waiting.ts";

const State = {
  FREE: 0,
  HELD: 1,
  /** Somebody waits and wants to be woken. */
  WAITED_FOR: 2,
  /** Nobody gets it any more. */
  BROKEN: 3,
} as const;

/**
 * Takes the lock at a cell that was 0 at first.
 *
 * @param timeoutMs how long one holder may keep it; 0: does not wait
 * @returns false when the time was over, or the lock is broken
 */
export function acquireLock(cells: SharedCells, cell: number, timeoutMs: number): boolean {
  if (Atomics.compareExchange(cells, cell, State.FREE, State.HELD) === State.FREE) return true;
  for (;;) {
    const seen = Atomics.load(cells, cell);
    if (seen === State.BROKEN) return false;
    if (seen === State.FREE) {
      // Others may be waiting too.
      const before = Atomics.compareExchange(cells, cell, State.FREE, State.WAITED_FOR);
      if (before === State.FREE) return true;
      continue;
    }
    if (timeoutMs <= 0) return false;
    if (seen === State.HELD) {
      const before = Atomics.compareExchange(cells, cell, State.HELD, State.WAITED_FOR);
      if (before !== State.HELD) continue;
    }
    if (!waitWhile(cells, cell, State.WAITED_FOR, timeoutMs)) return false;
  }
}

/** Gives back a lock that the caller holds. */
export function releaseLock(cells: SharedCells, cell: number): void {
  if (Atomics.compareExchange(cells, cell, State.HELD, State.FREE) === State.HELD) return;
  const before = Atomics.compareExchange(cells, cell, State.WAITED_FOR, State.FREE);
  if (before === State.WAITED_FOR) Atomics.notify(cells, cell, 1);
}

/**
 * Says that a lock's holder has ended: from now on nobody gets it, and who waits for it does so no
 * longer.
 */
export function breakLock(cells: SharedCells, cell: number): void {
  storeAndWake(cells, cell, State.BROKEN);
}
