/**
 * The threads that help a pipeline.
 *
 * @module
 */

import type { ChunkArena } from "./arena.ts";
import { CHUNK_WORKER_NAME, type ChunkWorkerStart } from "./chunk_worker.ts";
import { type JobQueue, WORKER_COUNT_MAX, WorkerState } from "./job_queue.ts";

/** A thread that handles chunks, as far as a pipeline knows it: a Worker, or one that a pool lends. */
export interface ChunkThread {
  /** Whether it will help other pipelines. Default: false. */
  readonly isKept?: boolean;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: unknown): void;
  /** It has nothing more to do. */
  terminate(): void;
}

/** How a pipeline gets threads. */
export interface ChunkWorkers {
  /** Threads besides the caller's. */
  readonly count: number;
  /** Starts a thread with this name, from a module that calls `serveChunkWorker` then. */
  readonly spawn: (name: string) => ChunkThread;
  /** They are started when so many bytes have been cut. Default: 16 MiB, before which a thread costs more than it helps. */
  readonly startBytes?: number | undefined;
  /** What the module's factory makes a handler from. */
  readonly description: unknown;
}

/** Arenas that threads may be reading: they stay, even if whoever made a pipeline forgets it. */
const inUse = new Set<ChunkArena>();

/** Threads that have been started. They may take a while to be there; nobody waits for it. */
export class WorkerThreads {
  readonly #queue: JobQueue;
  readonly #arena: ChunkArena;
  readonly #workers: readonly ChunkThread[];

  constructor(options: ChunkWorkers, queue: JobQueue, arena: ChunkArena) {
    this.#queue = queue;
    this.#arena = arena;
    inUse.add(arena);
    const count = Math.min(options.count, WORKER_COUNT_MAX);
    this.#workers = Array.from({ length: count }, (_, index) => {
      const worker: ChunkThread = options.spawn(`${CHUNK_WORKER_NAME}${index}`);
      // A thread that does not start does no harm: its share is done by the others. By default it would end the program.
      worker.onerror = (event) => event.preventDefault();
      worker.postMessage(
        {
          index,
          queue: queue.shared,
          arenaAddress: arena.buffer.address,
          arenaSize: arena.buffer.bytes.length,
          description: options.description,
          isKept: worker.isKept === true,
        } satisfies ChunkWorkerStart,
      );
      return worker;
    });
  }

  /** Lets every thread end what it has in hand, and has no more use for it. None touches the arena afterwards. */
  stop(): void {
    this.#queue.stop();
    this.#workers.forEach((worker, index) => {
      // Either it has not begun and never will, or it is waited for.
      this.#queue.changeState(index, WorkerState.STARTING, WorkerState.ENDED);
      for (;;) {
        const { answer } = this.#queue;
        if (this.#queue.stateOf(index) === WorkerState.ENDED) break;
        this.#queue.waitForAnswer(answer);
      }
      worker.terminate();
    });
    inUse.delete(this.#arena);
  }
}
