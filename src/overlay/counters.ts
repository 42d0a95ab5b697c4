/**
 * Counters of the overlay, one set a thread, in shared memory.
 *
 * @module
 */

/** What one thread has done, or sums of all, since the memory was made. */
export interface OverlayCounts {
  /** Blocks of 8 KiB copied from the lower tree since they were written in part. */
  blocksCopied: number;
  /** Bytes of these blocks and of files that were copied whole. */
  bytesCopied: number;
  /** Nodes of the lower tree that got a file of their own in the diff. */
  filesCopiedUp: number;
  /** Files of these that were copied whole, not by blocks. */
  wholeCopies: number;
  /** Reads of the lower tree, one for each run of blocks that the diff does not hold. */
  readsFromLower: number;
  /** Bytes that these reads gave. */
  bytesFromLower: number;
  /** Reads of files in the diff. */
  readsFromDiff: number;
  /** Bytes that these reads gave. */
  bytesFromDiff: number;
  /** Bytes that programs wrote by requests; in passthrough the kernel writes by itself. */
  bytesWritten: number;
  /** Contents of the lower tree that the thread had open when they were needed. */
  handleHits: number;
  /** Contents of the lower tree that had to be opened. */
  handleMisses: number;
  /** Opens whose reads and writes were left to the kernel. */
  passthroughOpens: number;
  /** fsync and fdatasync of files. */
  syncs: number;
}

/** A key of {@link OverlayCounts}. */
export type CounterName = keyof OverlayCounts;

const ZEROS: Readonly<OverlayCounts> = {
  blocksCopied: 0,
  bytesCopied: 0,
  filesCopiedUp: 0,
  wholeCopies: 0,
  readsFromLower: 0,
  bytesFromLower: 0,
  readsFromDiff: 0,
  bytesFromDiff: 0,
  bytesWritten: 0,
  handleHits: 0,
  handleMisses: 0,
  passthroughOpens: 0,
  syncs: 0,
};

const NAMES = Object.keys(ZEROS) as readonly CounterName[];

/** Most threads that count: 64 workers, a reserve, and one that hydrates. */
const WORKER_COUNT_MAX = 66;

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

  /** Counts in the set of thread `worker`, 0 to 65, in `createCounterMemory()`'s memory. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    const start = (worker % WORKER_COUNT_MAX) * NAMES.length * 8;
    this.#values = new Float64Array(memory, start, NAMES.length);
  }

  /** Adds to one counter; other threads see it at once, `overlayStatistics()` sums all up. */
  add(name: CounterName, amount: number): void {
    this.#values[INDEX[name]]! += amount;
  }
}

/** Sums of all threads. */
export function sumCounters(memory: SharedArrayBuffer): OverlayCounts {
  const values = new Float64Array(memory);
  const sums = { ...ZEROS };
  for (let index = 0; index < values.length; index++) {
    sums[NAMES[index % NAMES.length]!] += values[index]!;
  }
  return sums;
}
