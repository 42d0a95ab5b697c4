/**
 * What the page stores of all threads count, in shared memory: each thread writes a set of its own.
 *
 * @module
 */

/** Counts of one tree, or sums of several. */
export interface PageCounts {
  /** Indexes of stored pages in memory now; of one tree: those it has put there, less others. */
  indexFiles: number;
  /** Bytes that these indexes take. */
  indexBytes: number;
  /** Reads answered from the page that was expanded last. */
  pageHits: number;
  /** Pages fetched from a backup and expanded. */
  pageMisses: number;
}

const NAMES = ["indexFiles", "indexBytes", "pageHits", "pageMisses"] as const;

/** Most threads that count: 64 workers, a reserve, and one that hydrates. */
const THREAD_COUNT_MAX = 66;

/** Makes the memory of all threads. */
export function createPageCounterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(THREAD_COUNT_MAX * NAMES.length * 8);
}

/** Sums of all threads. */
export function sumPageCounters(memory: SharedArrayBuffer): PageCounts {
  const sums: PageCounts = { indexFiles: 0, indexBytes: 0, pageHits: 0, pageMisses: 0 };
  for (const [index, value] of new Float64Array(memory).entries()) {
    sums[NAMES[index % NAMES.length]!] += value;
  }
  return sums;
}

/** The counters of one thread: only that thread writes them, so no atomic operation is needed. */
export class PageCounters {
  readonly #values: Float64Array;

  /** Without memory of all threads it counts for itself. */
  constructor(memory?: SharedArrayBuffer, thread = 0) {
    const start = (thread % THREAD_COUNT_MAX) * NAMES.length * 8;
    this.#values = memory === undefined
      ? new Float64Array(NAMES.length)
      : new Float64Array(memory, start, NAMES.length);
  }

  /** The counts of this thread alone. */
  read(): PageCounts {
    const [indexFiles, indexBytes, pageHits, pageMisses] = this.#values;
    return {
      indexFiles: indexFiles!,
      indexBytes: indexBytes!,
      pageHits: pageHits!,
      pageMisses: pageMisses!,
    };
  }

  /** Counts what this thread has made more, or fewer, of the indexes that all threads have. */
  addIndexes(count: number, bytes: number): void {
    this.#values[0]! += count;
    this.#values[1]! += bytes;
  }

  /** Counts a read that the page expanded last has answered. */
  addHit(): void {
    this.#values[2]! += 1;
  }

  /** Counts pages that one read has fetched and expanded. */
  addMisses(count: number): void {
    this.#values[3]! += count;
  }
}
