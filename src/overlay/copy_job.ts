/**
 * Copying one file of the backup with all threads that have nothing else to do.
 *
 * There is at most one job at a time. Its owner publishes it in shared memory and takes piece after
 * piece; other threads take pieces too, for as long as no request waits for them. Each reads by its
 * own instance of the lower tree.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import { seekContent } from "#src/tree/node.ts";
import { addAndWake, storeAndWake, waitWhile } from "#src/threads/waiting.ts";
import type { OverlayContext } from "./context.ts";

/** What is copied in one go: small enough for the processor's cache, and for a waiting request. */
const PIECE_SIZE = 256 << 10;

/** How long the owner waits for helpers with their last piece. */
const HELPER_TIMEOUT_MS = 60_000;

const Word = {
  STATE: 0,
  FD: 1,
  /** Next piece to take. */
  NEXT: 2,
  PIECE_COUNT: 3,
  /** Threads besides the owner that are at work. */
  HELPERS: 4,
  /** First negative errno. */
  ERROR: 5,
  SPENT_MEBIBYTES: 6,
  COUNT: 8,
} as const;

const Double = { LOWER_ID: 0, SIZE: 1, COUNT: 2 } as const;

const State = { IDLE: 0, OPEN: 1, CLOSING: 2 } as const;

/** Makes the memory that the threads of one mount share. */
export function createCopyMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * Word.COUNT + 8 * Double.COUNT);
}

/** One thread's part in copying. */
export class CopyJobs {
  readonly #context: OverlayContext;
  readonly #gate: WaitGate;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;

  /**
   * @param gate is called before a thread reads the lower tree, or waits for threads that do, and
   *   may refuse
   */
  constructor(context: OverlayContext, memory: SharedArrayBuffer, gate: WaitGate) {
    this.#context = context;
    this.#gate = gate;
    this.#words = new Int32Array(memory, 0, Word.COUNT);
    this.#doubles = new Float64Array(memory, 4 * Word.COUNT, Double.COUNT);
  }

  /** Takes so many bytes of a budget. @returns false when there are not so many left */
  spend(sizeBytes: number, budgetBytes: number): boolean {
    const mebibytes = Math.ceil(sizeBytes / 2 ** 20);
    const spent = Atomics.add(this.#words, Word.SPENT_MEBIBYTES, mebibytes) + mebibytes;
    if (spent * 2 ** 20 <= budgetBytes) return true;
    Atomics.sub(this.#words, Word.SPENT_MEBIBYTES, mebibytes);
    return false;
  }

  /** Gives back what was not used. */
  giveBack(sizeBytes: number): void {
    Atomics.sub(this.#words, Word.SPENT_MEBIBYTES, Math.ceil(sizeBytes / 2 ** 20));
  }

  /**
   * Copies a file's content to the start of `fd`. Holds no lock, and returns when no thread uses
   * `fd` any more.
   *
   * @param callHelpers wakes other threads, which then call {@link help}
   * @returns 0, or a negative errno: EBUSY when another copy is being made, or this thread must not
   *   wait
   */
  copy(lowerId: number, sizeBytes: number, fd: number, callHelpers: () => void): number {
    const words = this.#words;
    if (!this.#gate.tryAdmit()) return -host.Errno.EBUSY;
    if (Atomics.compareExchange(words, Word.STATE, State.IDLE, State.CLOSING) !== State.IDLE) {
      return -host.Errno.EBUSY;
    }
    this.#doubles[Double.LOWER_ID] = lowerId;
    this.#doubles[Double.SIZE] = sizeBytes;
    words[Word.FD] = fd;
    words[Word.PIECE_COUNT] = Math.ceil(sizeBytes / PIECE_SIZE);
    // Pieces of which nothing is stored stay holes.
    words[Word.ERROR] = host.ftruncate(fd, sizeBytes);
    Atomics.store(words, Word.NEXT, 0);
    Atomics.store(words, Word.STATE, State.OPEN);
    callHelpers();
    this.#work(() => false);
    Atomics.store(words, Word.STATE, State.CLOSING);
    for (let count = Atomics.load(words, Word.HELPERS); count > 0;) {
      if (!waitWhile(words, Word.HELPERS, count, HELPER_TIMEOUT_MS)) {
        // A thread hangs in the job, and may still write: from now on no file is copied whole.
        return -host.Errno.ETIMEDOUT;
      }
      count = Atomics.load(words, Word.HELPERS);
    }
    const error = Atomics.load(words, Word.ERROR);
    storeAndWake(words, Word.STATE, State.IDLE);
    return error;
  }

  /**
   * Takes part in the present job, if there is one, until it has no pieces left or `isWanted` says
   * so.
   */
  help(isWanted: () => boolean): void {
    const words = this.#words;
    if (Atomics.load(words, Word.STATE) !== State.OPEN || !this.#gate.tryAdmit()) return;
    Atomics.add(words, Word.HELPERS, 1);
    try {
      // The owner may have closed the job in between; while it is open and this thread counted, it
      // stays.
      if (Atomics.load(words, Word.STATE) === State.OPEN) this.#work(isWanted);
    } finally {
      addAndWake(words, Word.HELPERS, -1);
    }
  }

  /** Helps with the copy of a file, if one is being made, and waits for its end. */
  helpWith(lowerId: number): void {
    const words = this.#words;
    const state = Atomics.load(words, Word.STATE);
    if (state === State.IDLE || this.#doubles[Double.LOWER_ID] !== lowerId) return;
    waitAt(this.#gate, () => {
      this.help(() => false);
      for (const left of [State.OPEN, State.CLOSING]) {
        waitWhile(words, Word.STATE, left, HELPER_TIMEOUT_MS);
      }
    });
  }

  #work(isWanted: () => boolean): void {
    const words = this.#words;
    const fd = words[Word.FD]!;
    const size = this.#doubles[Double.SIZE]!;
    const lowerId = this.#doubles[Double.LOWER_ID]!;
    while (Atomics.load(words, Word.ERROR) === 0 && !isWanted()) {
      const piece = Atomics.add(words, Word.NEXT, 1);
      if (piece >= words[Word.PIECE_COUNT]!) return;
      const offset = piece * PIECE_SIZE;
      const result = this.#copyPiece(lowerId, offset, Math.min(PIECE_SIZE, size - offset), fd);
      if (result < 0) Atomics.compareExchange(words, Word.ERROR, 0, result);
    }
  }

  #copyPiece(lowerId: number, offset: number, size: number, fd: number): number {
    const { copyBuffer } = this.#context;
    let count: number;
    try {
      const content = this.#context.lowerContent(lowerId);
      if (seekContent(content, offset, offset + size, false) === offset + size) return 0;
      count = content.readInto(copyBuffer, 0, size, offset);
    } catch {
      // A read of the damaged place fails later; the rest of the file stays readable.
      return -host.Errno.EIO;
    }
    if (count < size) return -host.Errno.EIO;
    const written = host.pwriteFully(fd, copyBuffer.address, size, offset);
    if (written < 0) return written;
    return written < size ? -host.Errno.ENOSPC : 0;
  }
}
