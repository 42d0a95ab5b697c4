/**
 * Counters of the overlay, one set a thread, in shared memory.
 *
 * @module
 */

const NAMES = [
  "blocksCopied",
  "bytesCopied",
  "filesCopiedUp",
  "wholeCopies",
  "readsFromLower",
  "bytesFromLower",
  "readsFromDiff",
  "bytesFromDiff",
  "bytesWritten",
  "handleHits",
  "handleMisses",
  "passthroughOpens",
  "syncs",
] as const;

/** Name of a counter. */
export type CounterName = typeof NAMES[number];

/** Most threads that count: 64 workers and a reserve. */
const WORKER_COUNT_MAX = 65;

/** Makes the memory of all counters. */
export function createCounterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORKER_COUNT_MAX * NAMES.length * 8);
}

const INDEX = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<
  CounterName,
  number
>;

/** The counters of one thread: only that thread writes them, so no atomic operation is needed. */
export class OverlayCounters {
  readonly #values: Float64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer, worker: number) {
    const start = (worker % WORKER_COUNT_MAX) * NAMES.length * 8;
    this.#values = new Float64Array(memory, start, NAMES.length);
  }

  add(name: CounterName, amount: number): void {
    this.#values[INDEX[name]]! += amount;
  }
}

/** Sums of all threads. */
export function sumCounters(memory: SharedArrayBuffer): Record<CounterName, number> {
  const values = new Float64Array(memory);
  const sums = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<CounterName, number>;
  for (let index = 0; index < values.length; index++) {
    sums[NAMES[index % NAMES.length]!] += values[index]!;
  }
  return sums;
}
