/**
 * The storage that is a local directory, as a server has it.
 *
 * @module
 */

import type { Storage, StorageDescription } from "../storage.ts";
import { type ChunkWriting, DirectoryChunks } from "./directory_chunks.ts";

/** A directory with `.chunks` in it. */
export interface DirectoryDescription extends StorageDescription {
  readonly kind: "directory";
  /** Absolute. */
  readonly path: string;
  /** How it is written to; undefined for reading only. */
  readonly writing?: ChunkWriting | undefined;
}

/** See {@link Storage}. */
export class DirectoryStorage implements Storage {
  #chunks: DirectoryChunks | undefined;

  private constructor(readonly description: DirectoryDescription) {}

  /** Nothing is looked at before it is needed. */
  static open(description: DirectoryDescription): DirectoryStorage {
    return new DirectoryStorage(description);
  }

  /** Opened at the first use: who may not read the chunks of a server can still see what backups there are. */
  get chunks(): DirectoryChunks {
    const { path, writing } = this.description;
    return this.#chunks ??= DirectoryChunks.open(path, writing);
  }

  close(): void {
    this.#chunks?.close();
    this.#chunks = undefined;
  }
}
