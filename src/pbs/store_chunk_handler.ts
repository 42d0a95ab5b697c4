/**
 * What becomes of the chunks of a backup to a datastore directory: named, compressed, encrypted, stored.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ChunkHandler, ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import { nativeCodecs } from "#src/codecs/mod.ts";
import { BlobCodec } from "./blob_codec.ts";
import { ChunkStore, type ChunkWriting } from "./chunk_store.ts";
import { CryptConfig } from "./crypt_config.ts";

/** What another thread makes a {@link StoreChunkHandler} from. */
export interface StoreChunkHandlerDescription extends ChunkWriting {
  readonly storePath: string;
  /** The 32 bytes of the key that chunks are encrypted with; undefined where they are not. */
  readonly key: Uint8Array<ArrayBuffer> | undefined;
}

/** Stores chunks. One for each thread. */
export class StoreChunkHandler implements ChunkHandler {
  readonly #store: ChunkStore;
  readonly #codec: BlobCodec;
  readonly #crypt: CryptConfig | undefined;

  /** @throws {OsError} when the datastore cannot be opened */
  constructor({ storePath, owner, syncLevel, key }: StoreChunkHandlerDescription) {
    this.#store = ChunkStore.open(storePath, { owner, syncLevel });
    this.#codec = new BlobCodec(nativeCodecs());
    this.#crypt = key === undefined ? undefined : new CryptConfig(key);
  }

  handle(plain: NativeBuffer, start: number, size: number): ChunkOutcome {
    const digest = this.#codec.digest(plain, start, size, this.#crypt);
    // Touched in any case: the index that needs it from now on is not there yet.
    const knownSize = this.#store.touch(digest);
    if (knownSize > 0) return { digest, storedSize: knownSize, isNew: false };
    const encoded = this.#codec.encode(plain, start, size, { compress: true, crypt: this.#crypt });
    this.#store.write(digest, encoded.buffer, encoded.start, encoded.size);
    return { digest, storedSize: encoded.size, isNew: true };
  }

  close(): void {
    this.#store.close();
  }
}
