/**
 * Chunks to be handled, in memory that all threads share. The caller's thread puts them in; whichever thread is free takes
 * the oldest. Results come back the same way, since the caller never returns to its event loop in between.
 *
 * @module
 */

import { DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { ChunkOutcome } from "./chunk_handler.ts";
import { formatFailure, parseFailure } from "./failure_text.ts";

/** Jobs in the queue at most, results that were not fetched included. A power of two. */
export const JOB_COUNT_MAX = 1024;

/** How long a thread sleeps at most before it looks again, in milliseconds. */
const SLEEP_MS = 500;
const FAILURE_SIZE = 16 << 10;

/** Cells before the jobs. Counters grow for ever and wrap around. */
const Cell = {
  SUBMITTED: 0,
  CLAIMED: 1,
  /** Changes when there is something to do. */
  CALL: 2,
  /** Changes when something was done. */
  ANSWER: 3,
  IS_STOPPED: 4,
  /** 0: nobody failed, 1: a failure is being written, else the length of its text. */
  FAILURE: 5,
  /** One for each worker. */
  WORKERS: 16,
} as const;

/** Workers that a queue can have. */
export const WORKER_COUNT_MAX = 64;

const JOBS = Cell.WORKERS + WORKER_COUNT_MAX;
const JOB_CELLS = 16;
/** Cells of a job. */
const Job = { STATE: 0, START: 1, SIZE: 2, STORED_SIZE: 3, IS_NEW: 4, DIGEST: 8 } as const;
const JobState = { OPEN: 0, DONE: 1, FAILED: 2 } as const;

const FAILURE_OFFSET = (JOBS + JOB_COUNT_MAX * JOB_CELLS) * Int32Array.BYTES_PER_ELEMENT;

/** What a worker is doing. */
export const WorkerState = { STARTING: 0, RUNNING: 1, ENDED: 2 } as const;

/** What a thread has taken from the queue. */
export interface ClaimedJob {
  readonly start: number;
  readonly size: number;
  /** For the results. */
  readonly number: number;
}

/** One thread's view of the queue. Functions that say so are for the caller's thread only. */
export class JobQueue {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** @param shared `shared` of another thread's view; left out, a new queue is made */
  constructor(shared = new SharedArrayBuffer(FAILURE_OFFSET + FAILURE_SIZE)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared, 0, FAILURE_OFFSET / Int32Array.BYTES_PER_ELEMENT);
    this.#bytes = new Uint8Array(shared);
  }

  /** How many jobs nobody has taken yet. */
  get unclaimedCount(): number {
    const submitted = Atomics.load(this.#cells, Cell.SUBMITTED);
    return (submitted - Atomics.load(this.#cells, Cell.CLAIMED)) | 0;
  }

  /** Puts a job in; the caller's thread only, and only while there are fewer than {@link JOB_COUNT_MAX}. */
  submit(start: number, size: number): void {
    const number = this.#cells[Cell.SUBMITTED]!;
    const job = jobCell(number);
    // Addresses may be beyond 2 GiB: the cell keeps the bits.
    this.#cells[job + Job.START] = start;
    this.#cells[job + Job.SIZE] = size;
    Atomics.store(this.#cells, job + Job.STATE, JobState.OPEN);
    Atomics.store(this.#cells, Cell.SUBMITTED, (number + 1) | 0);
    this.#signal(Cell.CALL, 1);
  }

  /** Takes the oldest job that nobody has taken. */
  claim(): ClaimedJob | undefined {
    for (;;) {
      const number = Atomics.load(this.#cells, Cell.CLAIMED);
      if (number === Atomics.load(this.#cells, Cell.SUBMITTED)) return undefined;
      const next = (number + 1) | 0;
      if (Atomics.compareExchange(this.#cells, Cell.CLAIMED, number, next) === number) {
        const job = jobCell(number);
        return {
          start: this.#cells[job + Job.START]! >>> 0,
          size: this.#cells[job + Job.SIZE]!,
          number,
        };
      }
    }
  }

  /** Waits for a job. @returns undefined when the queue has been stopped */
  next(): ClaimedJob | undefined {
    for (;;) {
      const call = Atomics.load(this.#cells, Cell.CALL);
      if (Atomics.load(this.#cells, Cell.IS_STOPPED) !== 0) return undefined;
      const job = this.claim();
      if (job !== undefined) return job;
      Atomics.wait(this.#cells, Cell.CALL, call);
    }
  }

  /** Says what became of a job. */
  complete(number: number, outcome: ChunkOutcome): void {
    const job = jobCell(number);
    this.#cells[job + Job.STORED_SIZE] = outcome.storedSize;
    this.#cells[job + Job.IS_NEW] = outcome.isNew ? 1 : 0;
    const digestOffset = (job + Job.DIGEST) * Int32Array.BYTES_PER_ELEMENT;
    this.#bytes.set(digestBytes(outcome.digest), digestOffset);
    Atomics.store(this.#cells, job + Job.STATE, JobState.DONE);
    this.#signal(Cell.ANSWER, 1);
  }

  /** Says that a job failed. Only the queue's first failure is kept. */
  fail(number: number, error: unknown): void {
    if (Atomics.compareExchange(this.#cells, Cell.FAILURE, 0, 1) === 0) {
      const text = new TextEncoder().encode(formatFailure(error));
      const isShort = text.length <= FAILURE_SIZE;
      const kept = isShort ? text : new TextEncoder().encode(formatFailure("too much to say"));
      this.#bytes.set(kept, FAILURE_OFFSET);
      Atomics.store(this.#cells, Cell.FAILURE, kept.length);
    }
    Atomics.store(this.#cells, jobCell(number) + Job.STATE, JobState.FAILED);
    this.#signal(Cell.ANSWER, 1);
  }

  /**
   * What became of a job; undefined while it is not done.
   *
   * @throws whatever a job of the queue failed with, when this one failed
   */
  outcome(number: number): ChunkOutcome | undefined {
    const job = jobCell(number);
    const state = Atomics.load(this.#cells, job + Job.STATE);
    if (state === JobState.OPEN) return undefined;
    if (state === JobState.FAILED) throw this.#failure();
    const digestOffset = (job + Job.DIGEST) * Int32Array.BYTES_PER_ELEMENT;
    return {
      digest: digestOf(this.#bytes.subarray(digestOffset, digestOffset + DIGEST_SIZE)),
      storedSize: this.#cells[job + Job.STORED_SIZE]!,
      isNew: this.#cells[job + Job.IS_NEW] === 1,
    };
  }

  /** What {@link waitForAnswer} takes: to be read before looking for what one waits for. */
  get answer(): number {
    return Atomics.load(this.#cells, Cell.ANSWER);
  }

  /** Waits until something was done since `answer` was read, or for a short while. */
  waitForAnswer(answer: number): void {
    Atomics.wait(this.#cells, Cell.ANSWER, answer, SLEEP_MS);
  }

  /** Makes every worker end after the job that it has in hand. */
  stop(): void {
    Atomics.store(this.#cells, Cell.IS_STOPPED, 1);
    this.#signal(Cell.CALL, Infinity);
  }

  /** Changes a worker's state from what it must be. @returns whether it was that */
  changeState(worker: number, from: number, to: number): boolean {
    const cell = Cell.WORKERS + worker;
    const isChanged = Atomics.compareExchange(this.#cells, cell, from, to) === from;
    if (isChanged) this.#signal(Cell.ANSWER, 1);
    return isChanged;
  }

  /** One of {@link WorkerState}. */
  stateOf(worker: number): number {
    return Atomics.load(this.#cells, Cell.WORKERS + worker);
  }

  #failure(): Error {
    let length = Atomics.load(this.#cells, Cell.FAILURE);
    // Another thread failed first and is still writing.
    while (length <= 1) {
      Atomics.wait(this.#cells, Cell.FAILURE, length, 1);
      length = Atomics.load(this.#cells, Cell.FAILURE);
    }
    const text = this.#bytes.slice(FAILURE_OFFSET, FAILURE_OFFSET + length);
    return parseFailure(new TextDecoder().decode(text));
  }

  #signal(cell: number, count: number): void {
    Atomics.add(this.#cells, cell, 1);
    Atomics.notify(this.#cells, cell, count);
  }
}

function jobCell(number: number): number {
  return JOBS + (number & (JOB_COUNT_MAX - 1)) * JOB_CELLS;
}
