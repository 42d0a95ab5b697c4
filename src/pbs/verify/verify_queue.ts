/**
 * Chunks to be checked, as jobs: which, and the bytes of their files.
 *
 * @module
 */

import { DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { ChunkCheck } from "./chunk_check.ts";

/** Most chunks in a queue. A power of two. */
export const BATCH_SIZE_MAX = 16384;

/** Cells of a job. */
const Job = { SIZE: 0, IS_ENCRYPTED: 1, KEY: 2, STORED_SIZE: 3, DIGEST: 7 } as const;
const JOB_CELLS = 15;

/** A chunk to be checked. */
export interface QueuedChunk {
  /** 32 bytes. */
  readonly digest: Uint8Array;
  /** Plain bytes. */
  readonly size: number;
  readonly isEncrypted: boolean;
  /** Number of the key; -1 for none. */
  readonly key: number;
}

/** One thread's view of the queue. */
export class VerifyQueue extends JobQueue {
  /**
   * @param shared that of another thread's view; left out, a new queue is made
   * @param timeoutMs how long the caller waits while no chunk comes back
   */
  constructor(shared?: SharedArrayBuffer, timeoutMs?: number) {
    super(shared ?? { count: BATCH_SIZE_MAX, cells: JOB_CELLS }, timeoutMs);
  }

  /** Puts a chunk in; the caller's thread only. */
  add({ digest, size, isEncrypted, key }: QueuedChunk): void {
    const cell = this.cellOf(this.nextNumber);
    this.cells[cell + Job.SIZE] = size;
    this.cells[cell + Job.IS_ENCRYPTED] = isEncrypted ? 1 : 0;
    this.cells[cell + Job.KEY] = key;
    this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE).set(digest);
    this.submit();
  }

  /**
   * Checks the chunk of a job in hand. @param cell the job's first @throws what is wrong with the
   * chunk
   */
  check(cell: number, checker: ChunkCheck, crypts: readonly CryptConfig[]): void {
    const { cells } = this;
    cells[cell + Job.STORED_SIZE] = checker.check({
      digest: digestOf(this.bytesOf(cell + Job.DIGEST, DIGEST_SIZE)),
      size: cells[cell + Job.SIZE]! >>> 0,
      isEncrypted: cells[cell + Job.IS_ENCRYPTED] === 1,
      crypt: crypts[cells[cell + Job.KEY]!],
    });
  }

  /** Bytes of the file of a chunk that is sound. */
  storedSizeOf(number: number): number {
    return this.cells[this.cellOf(number) + Job.STORED_SIZE]!;
  }
}
