/**
 * From streams to kept chunks: cuts streams, and has the chunks handled by as many threads as help.
 *
 * @module
 */

import type { ChunkHandler } from "./chunk_handler.ts";
import type { ChunkListener, ChunkStream, CutRule } from "./chunk_stream.ts";

/** How a pipeline gets threads. */
export interface ChunkWorkers {
  /** Threads besides the caller's. */
  readonly count: number;
  /** Starts a thread from a module that calls `serveChunkWorker` (`chunk_worker.ts`). */
  readonly spawn: (name: string) => Worker;
  /** What the module's factory makes a handler from. */
  readonly description: unknown;
}

/** What a pipeline needs. */
export interface ChunkPipelineOptions {
  /** Handles chunks in the caller's thread. */
  readonly handler: ChunkHandler;
  /** Left out: everything is done in the caller's thread. */
  readonly workers?: ChunkWorkers;
  /** Memory for the plain bytes of chunks in hand; at least four times the largest chunk is taken. */
  readonly budgetBytes?: number;
}

/** What a pipeline has done. */
export interface ChunkStatistics {
  readonly chunkCount: number;
  readonly plainBytes: number;
  readonly newChunkCount: number;
  readonly newPlainBytes: number;
  /** Stored size of the new chunks. */
  readonly newStoredBytes: number;
  readonly injectedChunkCount: number;
  readonly injectedBytes: number;
}

/** Cuts any number of streams, also several at a time, into chunks and handles these. */
export class ChunkPipeline {
  constructor(readonly options: ChunkPipelineOptions) {}

  /** Starts a stream. */
  openStream(_rule: CutRule, _onChunk: ChunkListener): ChunkStream {
    throw new Error("not written yet");
  }

  /** Ends the pipeline after its streams have been finished. */
  finish(): ChunkStatistics {
    throw new Error("not written yet");
  }

  /** Ends the pipeline at once; does nothing when it has ended. */
  abort(): void {}
}
