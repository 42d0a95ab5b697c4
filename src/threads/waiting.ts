/**
 * Sleeping on a cell of shared memory until another thread changes it, the time is over, or the
 * caller shall stop.
 *
 * Time is counted in short sleeps and not read off a clock. A clock goes on while a process is
 * stopped (SIGSTOP, a suspended machine), and whoever is waited for had no chance meanwhile; like
 * this a wait loses one sleep by it, not all its time.
 *
 * @module
 */

/** Cells of memory that threads share; their indexes are what "cell" means in this folder. */
export type SharedCells = Int32Array<SharedArrayBuffer>;

/** The longest sleep, after which a caller is asked whether it is to stop. */
const SLEEP_MS = 250;

const nobody: SharedCells = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread. */
export function sleep(timeMs: number): void {
  Atomics.wait(nobody, 0, 0, timeMs);
}

/**
 * Sleeps while a cell has a value. May return early: callers look again.
 *
 * @param timeoutMs how long at most; default: for ever
 * @param throwIfStopped is asked several times a second, and throws to end the wait
 * @returns false when the time was over
 */
export function waitWhile(
  cells: SharedCells,
  cell: number,
  value: number,
  timeoutMs = Infinity,
  throwIfStopped?: () => void,
): boolean {
  if (timeoutMs === Infinity && throwIfStopped === undefined) {
    Atomics.wait(cells, cell, value);
    return true;
  }
  if (Atomics.load(cells, cell) !== value) return true;
  for (let leftMs = timeoutMs; leftMs > 0; leftMs -= SLEEP_MS) {
    if (Atomics.wait(cells, cell, value, Math.min(leftMs, SLEEP_MS)) !== "timed-out") return true;
    throwIfStopped?.();
  }
  return false;
}

/** Stores a value and wakes all who sleep on the cell. */
export function storeAndWake(cells: SharedCells, cell: number, value: number): void {
  Atomics.store(cells, cell, value);
  Atomics.notify(cells, cell);
}

/**
 * Adds to a cell and wakes those who sleep on it, or only so many of them. @returns the value
 * before
 */
export function addAndWake(
  cells: SharedCells,
  cell: number,
  difference: number,
  wakeCount = Infinity,
): number {
  const before = Atomics.add(cells, cell, difference);
  Atomics.notify(cells, cell, wakeCount);
  return before;
}
