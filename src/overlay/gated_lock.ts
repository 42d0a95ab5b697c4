/**
 * Locks whose holders may wait for the lower tree: who waits for one waits for that tree too, and
 * says so to the gate.
 *
 * @module
 */

import type { WaitGate } from "#src/io/wait_gate.ts";
import { acquireLock, releaseLock } from "#src/threads/lock.ts";
import type { SharedCells } from "#src/threads/waiting.ts";

/**
 * How long a request waits for a lock before it fails with EIO: far beyond any host call that ends.
 */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Takes the lock at a cell, see `acquireLock()`. The gate hears only of a lock that is held.
 *
 * @returns false when the holder does not let go
 * @throws {WaitRefused | WaitEnded} as the gate wants it; the lock is not held then
 */
export function acquireGated(cells: SharedCells, cell: number, gate: WaitGate): boolean {
  if (acquireLock(cells, cell, 0)) return true;
  gate.enter();
  const isHeld = acquireLock(cells, cell, LOCK_TIMEOUT_MS);
  try {
    gate.leave();
  } catch (error) {
    if (isHeld) releaseLock(cells, cell);
    throw error;
  }
  return isHeld;
}
