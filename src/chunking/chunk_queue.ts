/**
 * Chunks to be handled, as jobs: where they lie in the arena, and what became of them.
 *
 * @module
 */

import { DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import type { ChunkHandler, ChunkOutcome } from "./chunk_handler.ts";

/** Chunks in the queue at most, those included whose results were not fetched. */
export const JOB_COUNT_MAX = 1024;

/** Cells of a job. */
const Job = { START: 0, SIZE: 1, STORED_SIZE: 2, IS_NEW: 3, STREAM: 4, DIGEST: 7 } as const;
const JOB_CELLS = 15;

/** One thread's view of the queue. */
export class ChunkQueue extends JobQueue {
  /**
   * @param shared that of another thread's view; left out, a new queue is made
   * @param timeoutMs how long the caller waits while no chunk comes back
   */
  constructor(shared?: SharedArrayBuffer, timeoutMs?: number) {
    super(shared ?? { count: JOB_COUNT_MAX, cells: JOB_CELLS }, timeoutMs);
  }

  /**
   * Puts a chunk in; the caller's thread only. @throws {StateError} `busy` when the queue is full
   */
  add(start: number, size: number, stream: number): void {
    const cell = this.cellOf(this.nextNumber);
    // Addresses may be beyond 2 GiB: the cell keeps the bits.
    this.cells[cell + Job.START] = start;
    this.cells[cell + Job.SIZE] = size;
    this.cells[cell + Job.STREAM] = stream;
    this.submit();
  }

  /**
   * Handles the chunk of a job in hand. @param cell the job's first @throws what the handler throws
   */
  handle(cell: number, handler: ChunkHandler, arena: NativeBuffer): void {
    const { cells } = this;
    const start = cells[cell + Job.START]! >>> 0;
    const stream = cells[cell + Job.STREAM]!;
    const outcome = handler.handle(arena, start, cells[cell + Job.SIZE]!, stream);
    cells[cell + Job.STORED_SIZE] = outcome.storedSize;
    cells[cell + Job.IS_NEW] = outcome.isNew ? 1 : 0;
    this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE).set(digestBytes(outcome.digest));
  }

  /**
   * Fetches what became of a chunk; the caller's thread only.
   *
   * @returns undefined while it is not handled
   * @throws whatever a job of the queue failed with, when this one failed
   */
  fetch(number: number): ChunkOutcome | undefined {
    if (!this.isAnswered(number)) return undefined;
    if (!this.takeOut(number)) throw this.failure();
    const cell = this.cellOf(number);
    return {
      digest: digestOf(this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE)),
      storedSize: this.cells[cell + Job.STORED_SIZE]!,
      isNew: this.cells[cell + Job.IS_NEW] === 1,
    };
  }
}
