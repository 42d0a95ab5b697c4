/**
 * The snapshot that a backup is based on as a storage: its files come by the session of the backup,
 * which learns so what chunks may be named again; chunks by a session of their own, if somebody
 * wants one.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { ProtocolError } from "#src/errors.ts";
import { isIndexName } from "../reading/index_scan.ts";
import { INDEX_FILE_SIZE_MAX } from "../snapshots/listed_files.ts";
import type { ChunkStorage, FileStorage, Storage } from "../storage/storage.ts";
import { type ReadFile, ServerStorage, type ServerStorageDescription } from "./server_storage.ts";

/** A session that reads, while it is open. */
export interface OpenSession extends Disposable {
  readonly storage: ServerStorage;
}

/** See the module. */
export class BaseStorage implements Storage, Disposable {
  readonly description: ServerStorageDescription;
  readonly files: FileStorage;
  readonly locks = undefined;
  readonly writerLock = undefined;
  readonly garbage = undefined;
  readonly #chunks: BaseChunks;

  /**
   * @param readFile by the session of the backup
   * @param openReader is called when the first chunk is read
   */
  constructor(
    description: ServerStorageDescription,
    readFile: ReadFile,
    openReader: () => OpenSession,
  ) {
    const indexes = new Set<string>();
    const { files, chunks } = new ServerStorage(
      { ...description, cache: undefined },
      (name, sizeMax) => {
        const bytes = readFile(name, sizeMax);
        if (isIndexName(name)) indexes.add(name);
        return bytes;
      },
    );
    this.description = description;
    this.files = files;
    this.#chunks = new BaseChunks(chunks, indexes, openReader);
  }

  get chunks(): ChunkStorage {
    return this.#chunks;
  }

  space(): undefined {
    return undefined;
  }

  close(): void {
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#chunks[Symbol.dispose]();
  }
}

/**
 * Chunks by the reader. A server gives it those of indexes that it has asked for: the one that was
 * read last first, since that is what somebody is about to read.
 */
class BaseChunks implements ChunkStorage, Disposable {
  readonly quarantine = undefined;
  readonly #names: ChunkStorage;
  readonly #indexes: ReadonlySet<string>;
  readonly #openReader: () => OpenSession;
  readonly #asked = new Set<string>();
  #reader: OpenSession | undefined;

  constructor(
    names: ChunkStorage,
    indexes: ReadonlySet<string>,
    openReader: () => OpenSession,
  ) {
    this.#names = names;
    this.#indexes = indexes;
    this.#openReader = openReader;
  }

  get buffer(): NativeBuffer {
    return this.#opened().buffer;
  }

  read(digest: ChunkDigest): number {
    for (;;) {
      const chunks = this.#opened();
      if (this.#asked.size === 0) this.#askForIndex();
      try {
        return chunks.read(digest);
      } catch (error) {
        if (!isNotAllowed(error) || !this.#askForIndex()) throw error;
      }
    }
  }

  expect(digest: ChunkDigest): void {
    this.#opened().expect(digest);
  }

  pathOf(digest: ChunkDigest): string {
    return this.#names.pathOf(digest);
  }

  storedSize(digest: ChunkDigest): number {
    return this.#names.storedSize(digest);
  }

  touch(digest: ChunkDigest): number {
    return this.#names.touch(digest);
  }

  write(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void {
    this.#names.write(digest, encoded, start, size);
  }

  add(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): boolean {
    return this.#names.add(digest, encoded, start, size);
  }

  placeOf(): number {
    return 0;
  }

  [Symbol.dispose](): void {
    this.#reader?.[Symbol.dispose]();
    this.#reader = undefined;
  }

  #opened(): ChunkStorage {
    return (this.#reader ??= this.#openReader()).storage.chunks;
  }

  /** @returns whether there was one more */
  #askForIndex(): boolean {
    const name = [...this.#indexes].findLast((index) => !this.#asked.has(index));
    if (name === undefined) return false;
    this.#asked.add(name);
    this.#reader!.storage.files.read(name, INDEX_FILE_SIZE_MAX);
    return true;
  }
}

function isNotAllowed(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "status-401";
}
