/**
 * Checks chunks for what can be known of them, for verification.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { AuthError, IntegrityError, StateError } from "#src/errors.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import type { ChunkStorage } from "../storage/storage.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import { ENCRYPTED_BLOB_HEADER_SIZE, parseBlobHeader } from "../format/blob.ts";

/** What a chunk must be like. */
export interface ExpectedChunk {
  readonly digest: ChunkDigest;
  /** Plain bytes. */
  readonly size: number;
  readonly isEncrypted: boolean;
  /**
   * Opens encrypted chunks. Without, only their CRC can be checked, and the length of those that
   * are not compressed.
   */
  readonly crypt: CryptConfig | undefined;
}

/** Checks chunks. One for each thread. Needs FFI. */
export class ChunkCheck {
  readonly #chunks: ChunkStorage;
  readonly #codecs = nativeCodecs();
  readonly #codec = new BlobCodec(this.#codecs);
  #plain: NativeBuffer | undefined;

  constructor(chunks: ChunkStorage) {
    this.#chunks = chunks;
  }

  /**
   * Checks a chunk.
   *
   * @returns bytes of its file
   * @throws {StateError} `not-found` when there is none
   * @throws {IntegrityError | FormatError} when it is damaged; with the code `crypt-mode` when it
   *   is sound, but encrypted when it should not be or the other way round
   * @throws {OsError} when it cannot be read
   */
  check({ digest, size, isEncrypted, crypt }: ExpectedChunk): number {
    const storedSize = this.#chunks.read(digest);
    if (storedSize < 0) throw new StateError("not-found", `Chunk ${digest} is missing`);
    const stored = this.#chunks.buffer;
    try {
      this.#codec.decodeInto(stored, 0, storedSize, this.#reserve(size), 0, size, {
        crypt,
        size,
        digest,
      });
    } catch (error) {
      // Everything that can be checked without the key was right.
      if (!(error instanceof AuthError)) throw error;
    }
    const header = parseBlobHeader(stored.bytes, 0, storedSize);
    if (header.isEncrypted && !header.isCompressed) {
      const seen = storedSize - ENCRYPTED_BLOB_HEADER_SIZE;
      if (seen !== size) {
        throw new IntegrityError(`Cannot use chunk: it has ${seen} bytes instead of ${size}`, {
          code: "length",
        });
      }
    }
    if (header.isEncrypted !== isEncrypted) {
      const state = header.isEncrypted ? "is" : "is not";
      throw new IntegrityError(`Chunk ${state} encrypted, unlike its index`, {
        code: "crypt-mode",
      });
    }
    return storedSize;
  }

  #reserve(size: number): NativeBuffer {
    if (this.#plain === undefined || this.#plain.bytes.length < size) {
      this.#plain = this.#codecs.allocate(Math.max(size, 4 << 20));
    }
    return this.#plain;
  }
}
