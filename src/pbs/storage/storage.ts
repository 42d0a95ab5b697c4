/**
 * What is below snapshots: a place that keeps objects. A local directory implements it, and a server or an object store can.
 *
 * Everything is synchronous. What is thrown says which object it is about. `tests/pbs/storage/storage_conformance.ts` says
 * what every storage must do.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/** Plain values that name a storage: can be posted to a worker, where {@link openStorage} opens it. */
export interface StorageDescription {
  /** Which implementation reads the rest. */
  readonly kind: string;
}

/** An open storage, for one thread. */
export interface Storage {
  readonly description: StorageDescription;
  /** Encoded chunks, each a whole blob. @throws {OsError} when they may not be read */
  readonly chunks: ChunkStorage;
  close(): void;
}

/**
 * Encoded chunks by digest. One that is being written is seen whole or not at all, whatever happens to who writes it;
 * what was written is read by all threads and processes from then on.
 */
export interface ChunkStorage {
  /** What a chunk is called in messages, such as the path of its file. */
  pathOf(digest: ChunkDigest): string;
  /** Bytes of a chunk; -1 when there is none. That does not count as a use. @throws {OsError} */
  storedSize(digest: ChunkDigest): number;
  /**
   * Notes that a chunk is used now, so that garbage collection spares it.
   *
   * @returns bytes of the chunk, -1 when there is none
   * @throws {OsError}
   */
  touch(digest: ChunkDigest): number;
  /**
   * Reads a chunk into {@link buffer}, which holds it until the next call.
   *
   * @returns the size, -1 when there is none
   * @throws {FormatError} when there are more bytes than a chunk can have, or something that is no chunk has its name
   * @throws {OsError}
   */
  read(digest: ChunkDigest): number;
  /** What {@link read} filled. */
  readonly buffer: NativeBuffer;
  /** Says that a chunk will be read soon; there need not be one. */
  expect(digest: ChunkDigest): void;
  /** Writes a chunk whether it is there or not. @throws {OsError} */
  write(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void;
  /**
   * Writes a chunk unless it is there, which is found out last.
   *
   * @returns whether it is new; otherwise nothing was done
   * @throws {OsError}
   */
  add(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): boolean;
  /**
   * A number that is another one when another chunk takes this one's place. Chunks are best read in the order of these
   * numbers. 0 when there is no such chunk, or nothing is known of that.
   */
  placeOf(digest: ChunkDigest): number;
  /** Undefined where corrupt chunks cannot be told from those that others store in their place. */
  readonly quarantine: ChunkQuarantine | undefined;
}

/** Keeps corrupt chunks under other names, so that the next backup with the same bytes stores them anew. */
export interface ChunkQuarantine {
  /**
   * Gives a corrupt chunk another name.
   *
   * @param place {@link ChunkStorage.placeOf} the one that was found corrupt: if another took its place meanwhile, that one stays
   * @returns the new name; undefined when the corrupt chunk is not there any more
   * @throws {OsError}
   */
  setAside(digest: ChunkDigest, place: number): string | undefined;
  /** Keeps the corrupt forms of a chunk that somebody misses from being removed. @throws {OsError} */
  touch(digest: ChunkDigest): void;
}
