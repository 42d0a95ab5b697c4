/**
 * Keeps the chunks of a backup in a storage, in the thread that has encoded them.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import type { EncodedBlob } from "../crypt/blob_codec.ts";
import { isPossibleBlobSize } from "../format/blob.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { ChunkStorage, Storage, StorageDescription } from "../storage/storage.ts";
import type { ChunkKeeper, KeeperDescription } from "./chunk_keeper.ts";

/** Names a {@link StorageKeeper}. */
export interface StorageKeeperDescription extends KeeperDescription {
  /** Tells this description from those of other keepers. */
  readonly kind: "storage";
  /** Open for writing. */
  readonly storage: StorageDescription;
  /** Whether the chunks of the backup are encrypted. */
  readonly isEncrypted: boolean;
  /** Whether it takes chunks for new without looking, where many were. Default: true. */
  readonly isGuessing?: boolean;
}

/** The keeper in a storage that is open for writing. */
export function describeStorageKeeper(
  storage: StorageDescription,
  isEncrypted: boolean,
  isGuessing = true,
): StorageKeeperDescription {
  return { kind: "storage", storage, isEncrypted, isGuessing };
}

/**
 * After so many new chunks the next one is taken for new, too: to ask first costs more than a few
 * mistakes.
 */
const GUESS_COUNT = 16;
/** Only with small chunks: it is little work that was in vain. */
const GUESS_SIZE_MAX = 16 << 10;

/** See {@link ChunkKeeper}. */
export class StorageKeeper implements ChunkKeeper {
  readonly #storage: Storage;
  readonly #chunks: ChunkStorage;
  readonly #isEncrypted: boolean;
  readonly #isGuessing: boolean;
  /** Chunks since the last one that was there already. */
  #newCount = 0;
  /** Whether the chunk in hand was not looked for. */
  #isGuessed = false;

  /** Opens the storage. @throws {OsError} when its chunks cannot be opened */
  constructor({ storage, isEncrypted, isGuessing = true }: StorageKeeperDescription) {
    this.#storage = openStorage(storage);
    this.#chunks = this.#storage.chunks;
    this.#isEncrypted = isEncrypted;
    this.#isGuessing = isGuessing;
  }

  /** See {@link ChunkKeeper.find}. */
  find(digest: ChunkDigest, plainSize: number): number {
    this.#isGuessed = this.#isGuessing && this.#newCount >= GUESS_COUNT &&
      plainSize <= GUESS_SIZE_MAX;
    return this.#isGuessed ? -1 : this.#use(digest, plainSize);
  }

  /** See {@link ChunkKeeper.keep}. */
  keep(digest: ChunkDigest, plainSize: number, encoded: EncodedBlob): ChunkOutcome {
    const { buffer, start, size } = encoded;
    if (!this.#isGuessed) {
      this.#chunks.write(digest, buffer, start, size);
    } else if (!this.#chunks.add(digest, buffer, start, size)) {
      const storedSize = this.#use(digest, plainSize);
      if (storedSize >= 0) return { digest, storedSize, isNew: false };
      this.#chunks.write(digest, buffer, start, size);
    }
    this.#newCount++;
    return { digest, storedSize: size, isNew: true };
  }

  /** Closes the storage. */
  close(): void {
    this.#storage.close();
  }

  /**
   * Touched in any case: the index that needs it from now on is not there yet. What is damaged so
   * that its size shows it is written anew.
   */
  #use(digest: ChunkDigest, plainSize: number): number {
    const storedSize = this.#chunks.touch(digest);
    if (!isPossibleBlobSize(storedSize, plainSize, this.#isEncrypted)) return -1;
    this.#newCount = 0;
    return storedSize;
  }
}
