/**
 * The body of a thread that handles chunks.
 *
 * @module
 */

import { endNativeCodecs } from "#src/codecs/mod.ts";
import { bufferAt } from "#src/io/host_memory.ts";
import type { ChunkHandler, ChunkHandlerFactory } from "./chunk_handler.ts";
import { JobQueue, WorkerState } from "./job_queue.ts";

/** Threads that handle chunks have names that start with this: one module may be that of other workers too. */
export const CHUNK_WORKER_NAME = "chunks-";

/** Sent to a worker once; it reads no further message. */
export interface ChunkWorkerStart {
  readonly index: number;
  readonly queue: SharedArrayBuffer;
  readonly arenaAddress: bigint;
  readonly arenaSize: number;
  /** For the factory. */
  readonly description: unknown;
}

/** The global scope of a worker, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** Whether this thread was started to handle chunks. */
export function isChunkWorker(): boolean {
  return (globalThis as unknown as WorkerScope).name?.startsWith(CHUNK_WORKER_NAME) ?? false;
}

/** Waits for the one message and handles chunks until there are no more. To be called once in a worker's module. */
export function serveChunkWorker(openHandler: ChunkHandlerFactory): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    const start = event.data as ChunkWorkerStart;
    const queue = new JobQueue(start.queue);
    if (queue.changeState(start.index, WorkerState.STARTING, WorkerState.RUNNING)) {
      handleChunks(start, queue, openHandler);
      endNativeCodecs();
      queue.changeState(start.index, WorkerState.RUNNING, WorkerState.ENDED);
    }
    scope.close();
  };
}

function handleChunks(
  start: ChunkWorkerStart,
  queue: JobQueue,
  openHandler: ChunkHandlerFactory,
): void {
  const arena = bufferAt(start.arenaAddress, start.arenaSize);
  let handler: ChunkHandler | undefined;
  for (let job = queue.next(); job !== undefined; job = queue.next()) {
    try {
      handler ??= openHandler(start.description);
      queue.complete(job.number, handler.handle(arena, job.start, job.size));
    } catch (error) {
      queue.fail(job.number, error);
    }
  }
  try {
    handler?.close?.();
  } catch {
    // Every chunk has been handled and there is nobody left to tell.
  }
}
