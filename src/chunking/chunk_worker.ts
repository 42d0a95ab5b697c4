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

/** Sent to a worker for each pipeline that it helps, one after the other. */
export interface ChunkWorkerStart {
  readonly index: number;
  readonly queue: SharedArrayBuffer;
  readonly arenaAddress: bigint;
  readonly arenaSize: number;
  /** For the factory. */
  readonly description: unknown;
  /** Whether there will be other pipelines, or else the message that ends the thread. */
  readonly isKept: boolean;
}

/** The message that ends a thread that was kept. */
export const CHUNK_WORKER_END = "end";

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

/** Handles the chunks of one pipeline after the other. To be called once in a worker's module. */
export function serveChunkWorker(openHandler: ChunkHandlerFactory): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    if (event.data === CHUNK_WORKER_END) {
      endNativeCodecs();
      scope.close();
      return;
    }
    const start = event.data as ChunkWorkerStart;
    const queue = new JobQueue(start.queue);
    if (!queue.changeState(start.index, WorkerState.STARTING, WorkerState.RUNNING)) return;
    handleChunks(start, queue, openHandler);
    // What terminates the thread does not free what other libraries have allocated.
    if (!start.isKept) endNativeCodecs();
    queue.changeState(start.index, WorkerState.RUNNING, WorkerState.ENDED);
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
