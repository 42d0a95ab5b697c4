/**
 * What a stream to be cut into chunks looks like to the one who writes it.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { Sink } from "#src/io/streams.ts";
import type { ChunkRecord } from "./chunk_handler.ts";

/** How a stream is cut. Sizes in bytes. */
export type CutRule =
  /** By content. `averageSize` is a power of two of at least 256. */
  | { readonly kind: "dynamic"; readonly averageSize: number }
  /** By content, or where a file starts if that comes at the right time. */
  | { readonly kind: "payload"; readonly averageSize: number }
  /** Every `chunkSize` bytes. */
  | { readonly kind: "fixed"; readonly chunkSize: number };

/** A chunk that is kept already, to become part of a stream without its bytes. */
export interface KnownChunk {
  /** Digest under which the chunk is stored. */
  readonly digest: ChunkDigest;
  /** Length of its plain data in bytes. */
  readonly size: number;
}

/**
 * Called for every chunk in stream order, during calls of the stream's own functions. `endOffset`
 * is where the chunk ends in the stream. Must not call the stream.
 */
export type ChunkListener = (chunk: ChunkRecord, endOffset: number) => void;

/**
 * A stream that is being cut. Errors of the handler, in whichever thread, come out of any of the
 * functions.
 */
export interface ChunkStream extends Sink {
  /** Bytes written and injected so far. */
  readonly position: number;
  /** Appends `size` bytes of a file from `offset` on. @returns the count, short only at its end */
  copyFrom(fd: number, offset: number, size: number): number;
  /**
   * Says that a file starts at `position`, which is not before {@link position}. Only streams of
   * the kind `payload` care.
   */
  suggestBoundary(position: number): void;
  /**
   * Ends the running chunk here and appends chunks that are kept already, which is not checked
   * here.
   *
   * @throws {UsageError} when a size is not a number of bytes
   */
  inject(chunks: readonly KnownChunk[]): void;
  /**
   * Cuts the last chunk and waits until the listener was called for all chunks. Nothing may be
   * written afterwards.
   */
  finish(): void;
}
