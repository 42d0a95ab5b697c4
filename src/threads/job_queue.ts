/**
 * Jobs in memory that threads share. One thread, the owner, puts them in; whoever is free takes the
 * oldest, the owner too. Answers come back the same way, since the owner never returns to its event
 * loop in between.
 *
 * A job is a few cells: the first says how far it is, the others are for whoever uses the queue. A
 * place is used again when the owner has taken its job out, so never where a job is not answered:
 * the thread that has it may still write there.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { formatFailure, parseFailure } from "./failure_text.ts";
import { addAndWake, type SharedCells, storeAndWake, waitWhile } from "./waiting.ts";

/** A store on a network file system whose server starts again is away for minutes. */
const ANSWER_TIMEOUT_MS = 600_000;
const FAILURE_SIZE = 16 << 10;

/** Cells before the jobs. Counters grow for ever and wrap around. */
const Cell = {
  PLACE_COUNT: 0,
  PLACE_CELLS: 1,
  SUBMITTED: 2,
  CLAIMED: 3,
  /** Changes when there is something to do. */
  CALL: 4,
  /** Changes when something was done. */
  ANSWER: 5,
  IS_STOPPED: 6,
  /** 0: nobody failed, 1: a failure is being written, else the length of its text. */
  FAILURE: 7,
} as const;
const PLACES = 16;

/** How far a job is. */
const JobState = { FREE: 0, OPEN: 1, CLAIMED: 2, DONE: 3, FAILED: 4 } as const;

/** How large a queue is. */
export interface JobQueueSize {
  /** Jobs in the queue at most, those that are answered included. A power of two. */
  readonly count: number;
  /** Cells for what a job says and what is answered. */
  readonly cells: number;
}

/**
 * One thread's view of a queue. Jobs have numbers, which the owner's methods and those for a job in
 * hand take.
 */
export class JobQueue {
  readonly shared: SharedArrayBuffer;
  /** All cells, among them those that {@link cellOf} tells of. */
  readonly cells: SharedCells;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #placeMask: number;
  readonly #placeCells: number;
  readonly #failureOffset: number;
  readonly #timeoutMs: number;

  /**
   * @param origin `shared` of another thread's view, or the size of a new queue
   * @param timeoutMs how long the owner waits while nobody answers anything. Default: 10 minutes
   */
  constructor(origin: SharedArrayBuffer | JobQueueSize, timeoutMs = ANSWER_TIMEOUT_MS) {
    this.shared = origin instanceof SharedArrayBuffer ? origin : allocate(origin);
    this.#bytes = new Uint8Array(this.shared);
    this.cells = new Int32Array(this.shared);
    const placeCount = this.cells[Cell.PLACE_COUNT]!;
    this.#placeMask = placeCount - 1;
    this.#placeCells = this.cells[Cell.PLACE_CELLS]!;
    this.#failureOffset = (PLACES + placeCount * this.#placeCells) * Int32Array.BYTES_PER_ELEMENT;
    this.#timeoutMs = timeoutMs;
  }

  /** Index of a job's first cell that is the user's own. */
  cellOf(number: number): number {
    return this.#stateCell(number) + 1;
  }

  /** The memory from a cell on, four bytes a cell. */
  bytesOf(cell: number, size: number): Uint8Array<SharedArrayBuffer> {
    const offset = cell * Int32Array.BYTES_PER_ELEMENT;
    return this.#bytes.subarray(offset, offset + size);
  }

  /**
   * Number of the job that {@link submit} puts in next, whose cells may be written if the queue
   * {@link isFull not full}.
   */
  get nextNumber(): number {
    return this.cells[Cell.SUBMITTED]!;
  }

  /** Whether the next job's place is not free yet. */
  get isFull(): boolean {
    return this.#stateOf(this.nextNumber) !== JobState.FREE;
  }

  /** How many jobs nobody has taken yet. */
  get unclaimedCount(): number {
    return (this.nextNumber - Atomics.load(this.cells, Cell.CLAIMED)) | 0;
  }

  /** Puts the next job in. @throws {StateError} `busy` when the queue is full */
  submit(): void {
    const number = this.nextNumber;
    if (this.isFull) throw new StateError("busy", "Cannot put a job into a full queue");
    Atomics.store(this.cells, this.#stateCell(number), JobState.OPEN);
    Atomics.store(this.cells, Cell.SUBMITTED, (number + 1) | 0);
    addAndWake(this.cells, Cell.CALL, 1, 1);
  }

  /** Takes the oldest job that nobody has taken. @returns its number */
  claim(): number | undefined {
    for (;;) {
      const number = Atomics.load(this.cells, Cell.CLAIMED);
      if (number === Atomics.load(this.cells, Cell.SUBMITTED)) return undefined;
      const next = (number + 1) | 0;
      if (Atomics.compareExchange(this.cells, Cell.CLAIMED, number, next) !== number) continue;
      if (this.claimJob(number)) return number;
    }
  }

  /** Takes this job. @returns false when somebody has, or had, it */
  claimJob(number: number): boolean {
    return this.#change(number, JobState.OPEN, JobState.CLAIMED);
  }

  /**
   * Does a job in hand and answers it, also when `work` throws. @param work gets the index of its
   * first cell
   */
  run(number: number, work: (cell: number) => void): void {
    try {
      work(this.cellOf(number));
    } catch (error) {
      this.#keepFailure(error);
      return this.#answer(number, JobState.FAILED);
    }
    this.complete(number);
  }

  /** Answers a job in hand. */
  complete(number: number): void {
    this.#answer(number, JobState.DONE);
  }

  /** The life of a thread that helps: does jobs until the queue is stopped. */
  serve(work: (cell: number) => void): void {
    for (;;) {
      const call = Atomics.load(this.cells, Cell.CALL);
      if (Atomics.load(this.cells, Cell.IS_STOPPED) !== 0) return;
      const number = this.claim();
      if (number === undefined) waitWhile(this.cells, Cell.CALL, call);
      else this.run(number, work);
    }
  }

  /** Makes every thread end after the job that it has in hand. */
  stop(): void {
    Atomics.store(this.cells, Cell.IS_STOPPED, 1);
    addAndWake(this.cells, Cell.CALL, 1);
  }

  /** Whether a job was answered. */
  isAnswered(number: number): boolean {
    const state = this.#stateOf(number);
    return state === JobState.DONE || state === JobState.FAILED;
  }

  /**
   * Takes a job that was answered out of the queue. Its cells can be read until the next
   * {@link submit}.
   *
   * @returns whether it succeeded
   */
  takeOut(number: number): boolean {
    if (this.#change(number, JobState.DONE, JobState.FREE)) return true;
    this.#change(number, JobState.FAILED, JobState.FREE);
    return false;
  }

  /** What the first job that failed has failed with. */
  failure(): Error {
    // Another thread may have failed first and be still writing.
    if (!waitWhile(this.cells, Cell.FAILURE, 1, this.#timeoutMs)) return noAnswer();
    const length = Atomics.load(this.cells, Cell.FAILURE);
    const text = this.#bytes.slice(this.#failureOffset, this.#failureOffset + length);
    return parseFailure(new TextDecoder().decode(text));
  }

  /** What {@link waitForAnswer} takes: to be read before looking for what one waits for. */
  get answerCount(): number {
    return Atomics.load(this.cells, Cell.ANSWER);
  }

  /**
   * Waits until something was answered since `answerCount` was read.
   *
   * @param throwIfStopped is asked several times a second
   * @throws {StateError} `timeout` when nobody answers anything
   */
  waitForAnswer(answerCount: number, throwIfStopped?: () => void): void {
    if (waitWhile(this.cells, Cell.ANSWER, answerCount, this.#timeoutMs, throwIfStopped)) return;
    throw noAnswer();
  }

  /**
   * Does jobs until this one is answered, and waits when there are none left.
   *
   * @throws {StateError} `timeout` when nobody answers anything
   */
  finish(number: number, work: (cell: number) => void, throwIfStopped?: () => void): void {
    if (this.claimJob(number)) return this.run(number, work);
    for (;;) {
      const { answerCount } = this;
      if (this.isAnswered(number)) return;
      const other = this.claim();
      if (other === undefined) this.waitForAnswer(answerCount, throwIfStopped);
      else this.run(other, work);
    }
  }

  #keepFailure(error: unknown): void {
    if (Atomics.compareExchange(this.cells, Cell.FAILURE, 0, 1) !== 0) return;
    const text = new TextEncoder().encode(formatFailure(error));
    const isShort = text.length <= FAILURE_SIZE;
    const kept = isShort ? text : new TextEncoder().encode(formatFailure("too much to say"));
    this.#bytes.set(kept, this.#failureOffset);
    storeAndWake(this.cells, Cell.FAILURE, kept.length);
  }

  #answer(number: number, state: number): void {
    Atomics.store(this.cells, this.#stateCell(number), state);
    addAndWake(this.cells, Cell.ANSWER, 1, 1);
  }

  #change(number: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.cells, this.#stateCell(number), from, to) === from;
  }

  #stateOf(number: number): number {
    return Atomics.load(this.cells, this.#stateCell(number));
  }

  #stateCell(number: number): number {
    return PLACES + (number & this.#placeMask) * this.#placeCells;
  }
}

function noAnswer(): StateError {
  return new StateError("timeout", "Cannot go on: a thread does not answer", {
    hint: "It has ended, or the storage that it uses hangs.",
  });
}

function allocate({ count, cells }: JobQueueSize): SharedArrayBuffer {
  const placeCells = 1 + cells;
  const size = (PLACES + count * placeCells) * Int32Array.BYTES_PER_ELEMENT + FAILURE_SIZE;
  const shared = new SharedArrayBuffer(size);
  const header = new Int32Array(shared);
  header[Cell.PLACE_COUNT] = count;
  header[Cell.PLACE_CELLS] = placeCells;
  return shared;
}
