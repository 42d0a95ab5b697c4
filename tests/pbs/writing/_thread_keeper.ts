/**
 * A keeper whose chunks another thread keeps, as a server's client does: that thread has the
 * connection and an event loop, and who encodes waits for it. Each thread that encodes has a lane
 * of its own, which is a queue with room for one chunk.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import type { EncodedBlob } from "#src/pbs/crypt/blob_codec.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import type { ChunkKeeper, KeeperDescription } from "#src/pbs/writing/chunk_keeper.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import { addAndWake, type SharedCells } from "#src/threads/waiting.ts";

/** Role, in the name of the thread that keeps. */
export const KEEPER_NAME = "keeper";
const LANE_COUNT = 8;
const CHUNK_SIZE_MAX = 128 << 10;
/** A lane has to be answered on a busy machine, too. */
const TIMEOUT_MS = 60_000;
/** Cells of a job. */
export const Job = {
  PLAIN_SIZE: 0,
  SIZE: 1,
  STORED_SIZE: 2,
  IS_NEW: 3,
  DIGEST: 4,
  BYTES: 12,
} as const;
const JOB_CELLS = Job.BYTES + CHUNK_SIZE_MAX / 4;
/** Cells that all share. */
export const Cell = {
  /** Changes when there is something to keep. */
  CALL: 0,
  LANES_TAKEN: 1,
  /** Chunks that were handed over. */
  KEPT: 2,
} as const;

/** Plain values that name one. */
export interface ThreadKeeperDescription extends KeeperDescription {
  readonly kind: "thread";
  readonly cells: SharedCells;
  readonly lanes: readonly SharedArrayBuffer[];
  /** What is there already, as the index of the previous snapshot tells a client. */
  readonly known: readonly ChunkDigest[];
}

/** What the thread that keeps is told. */
export interface KeeperStart {
  readonly keeper: ThreadKeeperDescription;
  readonly storage: StorageDescription;
  /** Fails instead of keeping this chunk, counted from 0. */
  readonly failAt?: number | undefined;
}

/** Memory for a keeper's lanes. */
export function describeThreadKeeper(known: readonly ChunkDigest[] = []): ThreadKeeperDescription {
  const lanes = Array.from(
    { length: LANE_COUNT },
    () => new JobQueue({ count: 1, cells: JOB_CELLS }).shared,
  );
  return { kind: "thread", cells: new Int32Array(new SharedArrayBuffer(64)), lanes, known };
}

/** See the head of the module. */
export class ThreadKeeper implements ChunkKeeper {
  readonly #cells: SharedCells;
  readonly #known: Set<ChunkDigest>;
  readonly #lane: JobQueue;

  constructor({ cells, lanes, known }: ThreadKeeperDescription) {
    this.#cells = cells;
    this.#known = new Set(known);
    this.#lane = new JobQueue(lanes[Atomics.add(cells, Cell.LANES_TAKEN, 1)]!, TIMEOUT_MS);
  }

  find(digest: ChunkDigest): number {
    return this.#known.has(digest) ? 0 : -1;
  }

  keep(digest: ChunkDigest, plainSize: number, { buffer, start, size }: EncodedBlob): ChunkOutcome {
    const lane = this.#lane;
    const { nextNumber: number, cells } = lane;
    const cell = lane.cellOf(number);
    cells[cell + Job.PLAIN_SIZE] = plainSize;
    cells[cell + Job.SIZE] = size;
    lane.bytesOf(cell + Job.DIGEST, DIGEST_SIZE).set(digestBytes(digest));
    lane.bytesOf(cell + Job.BYTES, size).set(buffer.bytes.subarray(start, start + size));
    let { answerCount } = lane;
    lane.submit();
    addAndWake(this.#cells, Cell.CALL, 1);
    while (!lane.isAnswered(number)) {
      lane.waitForAnswer(answerCount);
      ({ answerCount } = lane);
    }
    if (!lane.takeOut(number)) throw lane.failure();
    const storedSize = cells[cell + Job.STORED_SIZE]!;
    return { digest, storedSize, isNew: cells[cell + Job.IS_NEW] === 1 };
  }

  close(): void {}
}

/** The digest of a job. */
export function digestOfJob(lane: JobQueue, cell: number): ChunkDigest {
  return digestOf(lane.bytesOf(cell + Job.DIGEST, DIGEST_SIZE));
}
