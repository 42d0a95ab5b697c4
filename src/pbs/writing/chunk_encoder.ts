/**
 * Names, compresses and encrypts the chunks of a backup.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec, type EncodedBlob } from "../crypt/blob_codec.ts";
import { CryptConfig } from "../crypt/crypt_config.ts";

/** One for each thread: it has buffers of its own. Needs FFI. */
export class ChunkEncoder {
  readonly #codec = new BlobCodec(nativeCodecs());
  readonly #crypt: CryptConfig | undefined;

  /** @param key the 32 bytes that chunks are encrypted with; undefined where they are not */
  constructor(key: Uint8Array<ArrayBuffer> | undefined) {
    this.#crypt = key && new CryptConfig(key);
  }

  /** The name of the chunk that is `size` bytes of `plain` from `start` on. */
  digest(plain: NativeBuffer, start: number, size: number): ChunkDigest {
    return this.#codec.digest(plain, start, size, this.#crypt);
  }

  /** The chunk as it is kept, valid until the next call. @throws {LimitError} */
  encode(plain: NativeBuffer, start: number, size: number): EncodedBlob {
    return this.#codec.encode(plain, start, size, { compress: true, crypt: this.#crypt });
  }
}
