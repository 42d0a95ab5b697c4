/**
 * What the threads of a mount know of hydration, in shared memory: what is wanted, how far it is,
 * and what stands in its way.
 *
 * @module
 */

import { storeAndWake, waitWhile } from "#src/threads/waiting.ts";

const Word = { ORDER: 0, PHASE: 1, ERRNO: 2, COUNT: 4 } as const;

const Double = {
  /** Bytes a second; 0: as fast as it goes. */
  RATE_LIMIT: 0,
  RATE: 1,
  BYTES_DONE: 2,
  BYTES_TOTAL: 3,
  FILES_DONE: 4,
  FILES_TOTAL: 5,
  FILES_LEFT_OUT: 6,
  COUNT: 8,
} as const;

const Order = { STOP: 0, RUN: 1 } as const;

/**
 * How far hydration is. The index is the number in shared memory.
 *
 * - `off`: nobody has asked for it, or it was stopped
 * - `running`
 * - `paused`: the disk of the diff is full, or the source does not answer; it goes on by itself
 * - `waiting`: the diff has everything, durably; files that are open become plain ones later
 * - `complete`: the diff has everything, in plain files as far as its disk can do that
 * - `incomplete`: it has all but files that are damaged in the source
 * - `failed`: it cannot go on
 */
export const HYDRATION_PHASES = [
  "off",
  "running",
  "paused",
  "waiting",
  "complete",
  "incomplete",
  "failed",
] as const;

/** See {@link HYDRATION_PHASES}. */
export type HydrationPhase = typeof HYDRATION_PHASES[number];

/** How far hydration is, in numbers. Bytes are those of files, holes of the source left out. */
export interface HydrationProgress {
  readonly phase: HydrationPhase;
  /** Why it is paused or has failed; 0 where there is no such reason. */
  readonly errno: number;
  /** Bytes a second that it keeps to; undefined: as many as it can. */
  readonly rateLimit: number | undefined;
  /** Bytes a second at present. */
  readonly rate: number;
  readonly bytesDone: number;
  /** 0 as long as it is not known. */
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
  /** Files that cannot be read in the source, and stay there. */
  readonly filesLeftOut: number;
}

/** Makes the memory: hydration is off. */
export function createHydrationMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * Word.COUNT + 8 * Double.COUNT);
}

/** One thread's view of it. */
export class HydrationState {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, Word.COUNT);
    this.#doubles = new Float64Array(memory, 4 * Word.COUNT, Double.COUNT);
  }

  /** Whether it is to run: files are to come into the diff whole, and soon. */
  get isWanted(): boolean {
    return Atomics.load(this.#words, Word.ORDER) === Order.RUN;
  }

  get phase(): HydrationPhase {
    return HYDRATION_PHASES[Atomics.load(this.#words, Word.PHASE)]!;
  }

  /** Bytes a second; 0: as fast as it goes. */
  get rateLimit(): number {
    return this.#doubles[Double.RATE_LIMIT]!;
  }

  /** Orders it to run. @param rateLimit bytes a second; undefined: as fast as it goes */
  order(rateLimit: number | undefined): void {
    this.#doubles[Double.RATE_LIMIT] = rateLimit ?? 0;
    storeAndWake(this.#words, Word.ORDER, Order.RUN);
  }

  /** Orders it to stop; a thread that waits wakes up. */
  stop(): void {
    storeAndWake(this.#words, Word.ORDER, Order.STOP);
  }

  /** Sleeps, at most until it is to stop. */
  sleep(timeMs: number): void {
    waitWhile(this.#words, Word.ORDER, Order.RUN, timeMs);
  }

  /** @param errno why, where there is a reason */
  enter(phase: HydrationPhase, errno = 0): void {
    Atomics.store(this.#words, Word.ERRNO, errno);
    Atomics.store(this.#words, Word.PHASE, HYDRATION_PHASES.indexOf(phase));
    if (phase !== "running") this.#doubles[Double.RATE] = 0;
  }

  setRate(bytesPerSecond: number): void {
    this.#doubles[Double.RATE] = bytesPerSecond;
  }

  /** What a walk through everything has found. */
  setProgress(
    sizes: { bytesDone: number; bytesTotal: number; filesDone: number; filesTotal: number },
  ): void {
    this.#doubles[Double.BYTES_DONE] = sizes.bytesDone;
    this.#doubles[Double.BYTES_TOTAL] = sizes.bytesTotal;
    this.#doubles[Double.FILES_DONE] = sizes.filesDone;
    this.#doubles[Double.FILES_TOTAL] = sizes.filesTotal;
  }

  addDone(bytes: number, files: number): void {
    this.#doubles[Double.BYTES_DONE]! += bytes;
    this.#doubles[Double.FILES_DONE]! += files;
  }

  setLeftOut(files: number): void {
    this.#doubles[Double.FILES_LEFT_OUT] = files;
  }

  /** What there is to say of it. */
  read(): HydrationProgress {
    const value = (index: number) => this.#doubles[index]!;
    return {
      phase: this.phase,
      errno: Atomics.load(this.#words, Word.ERRNO),
      rateLimit: this.rateLimit === 0 ? undefined : this.rateLimit,
      rate: Math.round(value(Double.RATE)),
      bytesDone: Math.min(value(Double.BYTES_DONE), value(Double.BYTES_TOTAL)),
      bytesTotal: value(Double.BYTES_TOTAL),
      filesDone: Math.min(value(Double.FILES_DONE), value(Double.FILES_TOTAL)),
      filesTotal: value(Double.FILES_TOTAL),
      filesLeftOut: value(Double.FILES_LEFT_OUT),
    };
  }
}
