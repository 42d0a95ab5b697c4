/**
 * Plain chunks of a datastore directory.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError, LimitError, StateError } from "#src/errors.ts";
import type { BlobCodec } from "../blob_codec.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { CryptConfig } from "../crypt_config.ts";
import { withPath } from "../manifest_file.ts";
import type { ChunkSource } from "../ports.ts";

/** Chunks of a store as one snapshot has them: all encrypted with one key, or none. */
export class LocalChunkSource implements ChunkSource {
  readonly #store: ChunkStore;
  readonly #codec: BlobCodec;
  readonly #isEncrypted: boolean;
  readonly #crypt: CryptConfig | undefined;

  constructor(
    store: ChunkStore,
    codec: BlobCodec,
    isEncrypted: boolean,
    crypt: CryptConfig | undefined,
  ) {
    this.#store = store;
    this.#codec = codec;
    this.#isEncrypted = isEncrypted;
    this.#crypt = isEncrypted ? crypt : undefined;
  }

  load(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void {
    if (start < 0 || start + size > target.bytes.length) {
      throw new RangeError(`Cannot load ${size} bytes to ${start}: buffer too small`);
    }
    const storedSize = this.#store.read(digest);
    if (storedSize < 0) {
      throw new StateError("not-found", `Cannot find chunk "${this.#store.pathOf(digest)}"`, {
        hint: "A verification of the datastore tells which snapshots need it",
      });
    }
    try {
      this.#codec.decodeInto(this.#store.buffer, 0, storedSize, target, start, size, {
        crypt: this.#crypt,
        digest,
        size,
        isEncrypted: this.#isEncrypted,
      });
    } catch (error) {
      throw this.#translate(error, digest, size);
    }
  }

  has(digest: ChunkDigest): boolean {
    // An empty file is what a crash leaves of a chunk.
    return this.#store.storedSize(digest) > 0;
  }

  #translate(error: unknown, digest: ChunkDigest, size: number): unknown {
    const path = this.#store.pathOf(digest);
    if (!(error instanceof LimitError)) return withPath(error, path);
    return new IntegrityError(`Cannot use chunk: it has more than ${size} bytes`, {
      code: "length",
      path,
      cause: error,
    });
  }
}
