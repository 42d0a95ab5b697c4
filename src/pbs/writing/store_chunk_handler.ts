/**
 * What becomes of the chunks of a backup to a datastore directory: named, compressed, encrypted,
 * stored.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ChunkHandler, ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { ChunkStorage, Storage, StorageDescription } from "../storage/storage.ts";
import { CryptConfig } from "../crypt/crypt_config.ts";
import { isPossibleBlobSize } from "../format/blob.ts";

/** What another thread makes a {@link StoreChunkHandler} from. */
export interface StoreChunkHandlerDescription {
  /** Open for writing. */
  readonly storage: StorageDescription;
  /** The 32 bytes of the key that chunks are encrypted with; undefined where they are not. */
  readonly key: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * After so many new chunks the next one is taken for new, too: to ask first costs more than a few
 * mistakes.
 */
const GUESS_COUNT = 16;
/** Only with small chunks: it is little work that was in vain. */
const GUESS_SIZE_MAX = 16 << 10;

/** Stores chunks. One for each thread. */
export class StoreChunkHandler implements ChunkHandler {
  readonly #storage: Storage;
  readonly #store: ChunkStorage;
  readonly #codec: BlobCodec;
  readonly #crypt: CryptConfig | undefined;
  /** Chunks since the last one that was there already. */
  #newCount = 0;

  /** Opens the storage for this thread. @throws {OsError} when it cannot be opened */
  constructor({ storage, key }: StoreChunkHandlerDescription) {
    this.#storage = openStorage(storage);
    this.#store = this.#storage.chunks;
    this.#codec = new BlobCodec(nativeCodecs());
    this.#crypt = key === undefined ? undefined : new CryptConfig(key);
  }

  handle(plain: NativeBuffer, start: number, size: number): ChunkOutcome {
    const digest = this.#codec.digest(plain, start, size, this.#crypt);
    const isGuessed = this.#newCount >= GUESS_COUNT && size <= GUESS_SIZE_MAX;
    if (!isGuessed) {
      // Touched in any case: the index that needs it from now on is not there yet.
      const knownSize = this.#store.touch(digest);
      if (this.#isPossible(knownSize, size)) return this.#known(digest, knownSize);
    }
    const encoded = this.#codec.encode(plain, start, size, { compress: true, crypt: this.#crypt });
    if (!isGuessed) {
      this.#store.write(digest, encoded.buffer, encoded.start, encoded.size);
    } else if (!this.#store.add(digest, encoded.buffer, encoded.start, encoded.size)) {
      const knownSize = this.#store.touch(digest);
      if (this.#isPossible(knownSize, size)) return this.#known(digest, knownSize);
      this.#store.write(digest, encoded.buffer, encoded.start, encoded.size);
    }
    this.#newCount++;
    return { digest, storedSize: encoded.size, isNew: true };
  }

  /** What is damaged so that its size shows it is written anew. */
  #isPossible(storedSize: number, plainSize: number): boolean {
    return isPossibleBlobSize(storedSize, plainSize, this.#crypt !== undefined);
  }

  #known(digest: ChunkDigest, storedSize: number): ChunkOutcome {
    this.#newCount = 0;
    return { digest, storedSize, isNew: false };
  }

  close(): void {
    this.#storage.close();
  }
}
