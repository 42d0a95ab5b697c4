/**
 * The threads that help a pipeline.
 *
 * @module
 */

import { type SpawnThread, type Thread, Threads } from "#src/threads/thread.ts";
import type { ChunkArena } from "./arena.ts";
import type { ChunkQueue } from "./chunk_queue.ts";
import { CHUNK_ROLE, type ChunkWorkerStart } from "./chunk_worker.ts";

/** Threads that a pipeline can have. */
const THREAD_COUNT_MAX = 64;

/**
 * A thread that handles chunks, as far as a pipeline knows it: a Worker, or one that a pool lends.
 */
export type ChunkThread = Thread;

/** How a pipeline gets threads. */
export interface ChunkWorkers {
  /** Threads besides the caller's. */
  readonly count: number;
  /** Starts a thread with this name, from a module that calls `serveChunkWorker` then. */
  readonly spawn: SpawnThread<ChunkThread>;
  /**
   * They are started when so many bytes have been cut. Default: 16 MiB, before which a thread costs
   * more than it helps.
   */
  readonly startBytes?: number | undefined;
  /** How long the caller waits while none of them has handled anything. Default: 600,000. */
  readonly timeoutMs?: number | undefined;
  /** What the module's factory makes a handler from. */
  readonly description: unknown;
}

/** Arenas that threads may be reading: kept here, even if their pipeline is unreachable. */
const inUse = new Set<ChunkArena>();

/** Threads that have been started; their start-up is not awaited. */
export class WorkerThreads {
  readonly #queue: ChunkQueue;
  readonly #arena: ChunkArena;
  readonly #threads: Threads;

  constructor(options: ChunkWorkers, queue: ChunkQueue, arena: ChunkArena) {
    this.#queue = queue;
    this.#arena = arena;
    inUse.add(arena);
    const count = Math.min(options.count, THREAD_COUNT_MAX);
    this.#threads = new Threads(
      options.spawn,
      CHUNK_ROLE,
      count,
      {
        queue: queue.shared,
        arenaAddress: arena.buffer.address,
        arenaSize: arena.buffer.bytes.length,
        description: options.description,
      } satisfies ChunkWorkerStart,
    );
  }

  /**
   * Ends every thread after the chunk that it is handling.
   *
   * @returns false when one did not end in time: it may still read the arena
   */
  stop(timeoutMs?: number): boolean {
    this.#queue.stop();
    const haveEnded = this.#threads.end(timeoutMs);
    if (haveEnded) inUse.delete(this.#arena);
    return haveEnded;
  }
}
