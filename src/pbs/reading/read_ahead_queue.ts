/**
 * Chunks to be loaded, as jobs: which, and where their bytes shall be put.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { bufferAt } from "#ffi/libc/memory.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import type { ChunkSource } from "../ports.ts";

/** Chunks that are asked for ahead. */
export const READ_AHEAD_COUNT = 3;
/** One more is the chunk that is just wanted. */
const JOB_COUNT_MAX = READ_AHEAD_COUNT + 1;

/** Cells of a job; an address has two, a digest eight. */
const Job = { SIZE: 0, ADDRESS: 1, DIGEST: 3 } as const;
const JOB_CELLS = 11;

/** One thread's view of the queue. */
export class ReadAheadQueue extends JobQueue {
  /**
   * @param shared that of another thread's view; left out, a new queue is made
   * @param timeoutMs how long the reader waits while no chunk comes back
   */
  constructor(shared?: SharedArrayBuffer, timeoutMs?: number) {
    super(shared ?? { count: JOB_COUNT_MAX, cells: JOB_CELLS }, timeoutMs);
  }

  /** Wants a chunk; the reader's thread only. @returns the job's number */
  add(digest: ChunkDigest, size: number, { address }: NativeBuffer): number {
    const number = this.nextNumber;
    const cell = this.cellOf(number);
    this.cells[cell + Job.SIZE] = size;
    this.cells[cell + Job.ADDRESS] = Number(address & 0xffff_ffffn);
    this.cells[cell + Job.ADDRESS + 1] = Number(address >> 32n);
    this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE).set(digestBytes(digest));
    this.submit();
    return number;
  }

  /**
   * Loads the chunk of a job in hand. @param cell the job's first @throws what
   * {@link ChunkSource.load} throws
   */
  load(cell: number, source: ChunkSource): void {
    const size = this.cells[cell + Job.SIZE]!;
    const low = BigInt(this.cells[cell + Job.ADDRESS]! >>> 0);
    const address = (BigInt(this.cells[cell + Job.ADDRESS + 1]! >>> 0) << 32n) | low;
    const digest = digestOf(this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE));
    source.load(digest, size, bufferAt(address, size), 0);
  }
}
