/**
 * Counters of kernel requests. Each worker has cells of its own in one shared buffer and is their
 * only writer, so that counting needs no atomic operations.
 *
 * Latency is the time from having read a request to having sent its answer. It is taken of the
 * first {@link SAMPLE_ALL_UNTIL} requests of each kind and of one in {@link SAMPLE_EVERY} after
 * that (reading the clock costs 30 ns); counts, errors and bytes are exact.
 *
 * @module
 */

import { OPCODE_COUNT, OPCODE_NAMES } from "#ffi/libfuse3/kernel.ts";
import { Errno } from "#ffi/os_error.ts";

/** Requests of each kind and worker of which every latency is taken. */
export const SAMPLE_ALL_UNTIL = 64;
/** From then on one in so many; a power of two. */
export const SAMPLE_EVERY = 16;

/** Buckets: 8 for each power of two, so that a percentile is at most 12.5 % too high. */
const SUB_BUCKETS = 8;
const EXPONENT_MAX = 40;
const BUCKET_COUNT = SUB_BUCKETS * EXPONENT_MAX;

/**
 * Errors that are ordinary answers: the name does not exist, access is denied, the request is not
 * supported. All others are counted as failures.
 */
const NEGATIVE_ANSWERS: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.ENODATA,
  Errno.EEXIST,
  Errno.ENOTEMPTY,
  Errno.ENOTDIR,
  Errno.EISDIR,
  Errno.EACCES,
  Errno.EPERM,
  Errno.EAGAIN,
  Errno.EINTR,
  Errno.ENXIO,
  Errno.ERANGE,
  Errno.ENAMETOOLONG,
  Errno.ENOSYS,
  Errno.EOPNOTSUPP,
]);

// Cells of one operation of one worker.
const COUNT = 0;
const FAILED = 1;
const NEGATIVE = 2;
const BYTES = 3;
const BUCKETS = 4;
const OPERATION_CELLS = BUCKETS + BUCKET_COUNT;
const WORKER_CELLS = OPERATION_CELLS * OPCODE_COUNT;

/** What is shown of one kind of request. */
export interface OperationStatistics {
  /** Requests. */
  readonly count: number;
  /** Requests that failed: answered with an error that is not an ordinary answer. */
  readonly errors: number;
  /** Requests whose answer was an ordinary no, such as `ENOENT`. */
  readonly negative: number;
  /** Bytes read or written. */
  readonly bytes: number;
  /** Median latency of the sampled requests, in microseconds. */
  readonly p50_us: number;
  /** Latency that 99 of 100 sampled requests do not exceed, in microseconds. */
  readonly p99_us: number;
}

/** The shared buffer for so many workers. */
export function allocateStatistics(workerCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(
    workerCount * WORKER_CELLS * Float64Array.BYTES_PER_ELEMENT,
  );
}

/** One worker's counters. */
export class WorkerStatistics {
  readonly #cells: Float64Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer, workerIndex: number) {
    const size = WORKER_CELLS * Float64Array.BYTES_PER_ELEMENT;
    this.#cells = new Float64Array(buffer, workerIndex * size, WORKER_CELLS);
  }

  /** Counts a request. @returns whether its latency is wanted */
  begin(opcode: number): boolean {
    if (opcode >= OPCODE_COUNT) return false;
    const count = ++this.#cells[opcode * OPERATION_CELLS + COUNT]!;
    return count <= SAMPLE_ALL_UNTIL || count % SAMPLE_EVERY === 0;
  }

  /** Counts an answer with an error. @param errno positive */
  error(opcode: number, errno: number): void {
    if (opcode >= OPCODE_COUNT) return;
    const cell = NEGATIVE_ANSWERS.has(errno) ? NEGATIVE : FAILED;
    this.#cells[opcode * OPERATION_CELLS + cell]!++;
  }

  bytes(opcode: number, count: number): void {
    this.#cells[opcode * OPERATION_CELLS + BYTES]! += count;
  }

  latency(opcode: number, nanoseconds: number): void {
    this.#cells[opcode * OPERATION_CELLS + BUCKETS + bucketOf(nanoseconds)]!++;
  }
}

/** All workers' counters together, for the main isolate. */
export class MountStatistics {
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #workerCount: number;
  /** Sums at the last reset. */
  #baseline = new Float64Array(WORKER_CELLS);

  /** Over the buffer of {@link allocateStatistics}. */
  constructor(buffer: SharedArrayBuffer, workerCount: number) {
    this.#cells = new Float64Array(buffer);
    this.#workerCount = workerCount;
  }

  /** Requests of all kinds since the mount was made. */
  get requestCount(): number {
    let count = 0;
    for (let cell = COUNT; cell < this.#workerCount * WORKER_CELLS; cell += OPERATION_CELLS) {
      count += this.#cells[cell]!;
    }
    return count;
  }

  /** Every kind of request seen since the last reset, by name. */
  operations(): Record<string, OperationStatistics> {
    const sums = this.#sums();
    const result: Record<string, OperationStatistics> = {};
    for (let opcode = 0; opcode < OPCODE_COUNT; opcode++) {
      const start = opcode * OPERATION_CELLS;
      const cells = sums.subarray(start, start + OPERATION_CELLS);
      const base = this.#baseline.subarray(start, start + OPERATION_CELLS);
      for (let i = 0; i < OPERATION_CELLS; i++) cells[i]! -= base[i]!;
      if (cells[COUNT]! <= 0) continue;
      result[OPCODE_NAMES[opcode] ?? `opcode_${opcode}`] = {
        count: cells[COUNT]!,
        errors: cells[FAILED]!,
        negative: cells[NEGATIVE]!,
        bytes: cells[BYTES]!,
        p50_us: percentile(cells.subarray(BUCKETS), 0.5),
        p99_us: percentile(cells.subarray(BUCKETS), 0.99),
      };
    }
    return result;
  }

  /** Starts counting from zero. */
  reset(): void {
    this.#baseline = this.#sums();
  }

  #sums(): Float64Array<ArrayBuffer> {
    const sums = new Float64Array(WORKER_CELLS);
    for (let worker = 0; worker < this.#workerCount; worker++) {
      const start = worker * WORKER_CELLS;
      for (let i = 0; i < WORKER_CELLS; i++) sums[i]! += this.#cells[start + i]!;
    }
    return sums;
  }
}

function bucketOf(nanoseconds: number): number {
  const value = Math.max(1, nanoseconds);
  const exponent = Math.floor(Math.log2(value));
  const fraction = Math.floor((value / 2 ** exponent - 1) * SUB_BUCKETS);
  return Math.min(exponent * SUB_BUCKETS + fraction, BUCKET_COUNT - 1);
}

/** Upper end of a bucket in nanoseconds. */
function bucketEnd(bucket: number): number {
  const exponent = Math.floor(bucket / SUB_BUCKETS);
  return 2 ** exponent * (1 + (bucket % SUB_BUCKETS + 1) / SUB_BUCKETS);
}

/** The latency that `share` of the samples do not exceed, in microseconds with one decimal. */
function percentile(buckets: Float64Array, share: number): number {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let seen = 0;
  for (let i = 0; i < buckets.length; i++) {
    seen += buckets[i]!;
    if (seen >= total * share) return Math.round(bucketEnd(i) / 100) / 10;
  }
  return 0;
}
