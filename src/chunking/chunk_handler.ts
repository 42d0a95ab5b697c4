/**
 * The seam between the pipeline and whatever keeps chunks.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/** What became of one chunk. */
export interface ChunkOutcome {
  /** SHA-256 of the plain data, or its keyed form where the handler encrypts. */
  readonly digest: ChunkDigest;
  /** Bytes the chunk takes where it is kept. */
  readonly storedSize: number;
  /** It was not kept before. */
  readonly isNew: boolean;
}

/** One chunk of a stream, in stream order. */
export interface ChunkRecord extends ChunkOutcome {
  /** Plain bytes. */
  readonly size: number;
}

/**
 * Names, compresses, encrypts and keeps chunks. Every thread has an instance of its own, so an
 * instance is never entered twice at a time, but instances of several threads may handle chunks
 * with the same bytes at the same time.
 */
export interface ChunkHandler {
  /**
   * Handles the chunk at `start` of `plain`. The bytes are only there during the call, and must not
   * be changed.
   *
   * @param stream number of the stream that it is cut from, as whoever opened that has said
   */
  handle(plain: NativeBuffer, start: number, size: number, stream: number): ChunkOutcome;
  /** Gives up what the instance holds. No chunk follows. */
  close?(): void;
}

/**
 * Makes a thread's handler from a description that can be sent to it. Used in the module that
 * workers start from.
 */
export type ChunkHandlerFactory = (description: unknown) => ChunkHandler;
