/**
 * A thread that uses a lock.
 *
 * @module
 */

import { acquireLock, releaseLock } from "#src/threads/lock.ts";
import { type SharedCells, sleep } from "#src/threads/waiting.ts";

/** Cells of the memory that is shared with a test. */
export const Cell = { LOCK: 0, COUNT: 1 } as const;

/** What the thread is for. */
export type LockUse = "count" | "keep" | "wait";

const TIMEOUT_MS = 60_000;
const ROUNDS = 2000;

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ cells: SharedCells; use: LockUse }>) => void;
  postMessage(isLocked: boolean): void;
};

scope.onmessage = ({ data: { cells, use } }) => {
  if (use === "wait") Atomics.add(cells, Cell.COUNT, 1);
  for (let round = 0; round < (use === "count" ? ROUNDS : 1); round++) {
    if (!acquireLock(cells, Cell.LOCK, TIMEOUT_MS)) return scope.postMessage(false);
    // Not by Atomics: two threads at a time would lose some.
    cells[Cell.COUNT]! += 1;
    if (use === "keep") return sleep(TIMEOUT_MS);
    releaseLock(cells, Cell.LOCK);
  }
  scope.postMessage(true);
};
