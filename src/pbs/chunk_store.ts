/**
 * The chunks of a datastore: one file each, named by digest.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

const notYet = (): never => {
  throw new Error("not written yet");
};

/** What became of an insertion. */
export interface Insertion {
  readonly isNew: boolean;
  /** Bytes of the chunk's file. */
  readonly storedSize: number;
}

/** The directory `.chunks` of a datastore. */
export class ChunkStore {
  private constructor(readonly path: string) {}

  /** Path of a chunk's file. */
  pathOf(digest: ChunkDigest): string {
    return `${this.path}/${digest.slice(0, 4)}/${digest}`;
  }

  /** Whether there is such a chunk, not empty. Nothing is touched. */
  has(_digest: ChunkDigest): boolean {
    return notYet();
  }

  /** Sets the access time to now. @returns bytes of the file, -1 when there is no such chunk @throws {OsError} */
  touch(_digest: ChunkDigest): number {
    return notYet();
  }

  /** Stores an encoded chunk (a whole blob). @throws {OsError} @throws {IntegrityError} see section 7 */
  insert(_digest: ChunkDigest, _encoded: NativeBuffer, _start: number, _size: number): Insertion {
    return notYet();
  }

  /**
   * The bytes of a chunk's file. The buffer is this store's own, and holds them until the next call.
   *
   * @returns the size, -1 when there is no such chunk
   * @throws {IntegrityError} when the file is larger than a chunk can be
   * @throws {OsError}
   */
  read(_digest: ChunkDigest): number {
    return notYet();
  }

  /** What {@link read} filled. */
  get buffer(): NativeBuffer {
    return notYet();
  }

  close(): void {}
}
