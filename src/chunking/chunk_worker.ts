/**
 * The body of a thread that handles chunks.
 *
 * @module
 */

import { endNativeCodecs } from "#src/codecs/codecs.ts";
import { bufferAt } from "#ffi/libc/memory.ts";
import { serveThread } from "#src/threads/thread.ts";
import type { ChunkHandler, ChunkHandlerFactory } from "./chunk_handler.ts";
import { ChunkQueue } from "./chunk_queue.ts";

/** Role of threads that handle chunks. */
export const CHUNK_ROLE = "chunks";

/** Sent to a thread for each pipeline that it helps, one after the other. */
export interface ChunkWorkerStart {
  /** Memory of the {@link ChunkQueue}. */
  readonly queue: SharedArrayBuffer;
  /** Address of the arena in this process; the bytes are not copied to the thread. */
  readonly arenaAddress: bigint;
  /** Bytes of the arena: what a chunk's offset is checked against. */
  readonly arenaSize: number;
  /** For the factory. */
  readonly description: unknown;
}

/**
 * Handles the chunks of one pipeline after the other. To be called once in a worker's module.
 *
 * @returns false when this thread was started for something else: one module may be that of other
 *   threads too
 */
export function serveChunkWorker(openHandler: ChunkHandlerFactory): boolean {
  const serve = (start: unknown) => handleChunks(start as ChunkWorkerStart, openHandler);
  return serveThread({ [CHUNK_ROLE]: serve }, endNativeCodecs);
}

/** Handles the chunks of one pipeline. */
export function handleChunks(start: ChunkWorkerStart, openHandler: ChunkHandlerFactory): void {
  const queue = new ChunkQueue(start.queue);
  const arena = bufferAt(start.arenaAddress, start.arenaSize);
  let handler: ChunkHandler | undefined;
  queue.serve((cell) => queue.handle(cell, handler ??= openHandler(start.description), arena));
  try {
    handler?.close?.();
  } catch {
    // Every chunk has been handled, and no caller is left that could get the error.
  }
}
