/**
 * Plain chunks of a storage.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { FormatError, IntegrityError, LimitError, StateError, withPlace } from "#src/errors.ts";
import { checkRead } from "#src/io/byte_source.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { ChunkStorage, StorageDescription } from "../storage/storage.ts";
import { CryptConfig } from "../crypt/crypt_config.ts";
import { blobHeaderSize } from "../format/blob.ts";
import type { ChunkSource } from "../ports.ts";

/** What a {@link LocalChunkSource} is made of. */
export interface LocalChunkSourceParts {
  readonly store: ChunkStorage;
  readonly codec: BlobCodec;
  /** Whether all chunks are encrypted, or none. */
  readonly isEncrypted: boolean;
  readonly crypt: CryptConfig | undefined;
  /**
   * Whether chunks that are found corrupt are renamed, so that the next backup with the same bytes
   * stores them anew. Default: false.
   */
  readonly setsCorruptAside?: boolean;
}

/** Chunks of a store as one snapshot has them. */
export class LocalChunkSource implements ChunkSource {
  readonly #parts: LocalChunkSourceParts;
  readonly #store: ChunkStorage;

  constructor(parts: LocalChunkSourceParts) {
    this.#parts = parts;
    this.#store = parts.store;
  }

  load(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void {
    checkRead(target, start, size, 0);
    const load = () => this.#decodeCopy(digest, size, target, start);
    try {
      load();
    } catch (error) {
      if (
        this.#parts.setsCorruptAside !== true || !isCorrupt(error) || !this.#setAside(digest, load)
      ) {
        throw this.#translate(error, digest, size);
      }
    }
  }

  has(digest: ChunkDigest): boolean {
    // Empty or less than a header is what a crash leaves of a chunk.
    return this.#store.storedSize(digest) > blobHeaderSize(this.#parts.isEncrypted);
  }

  /** A copy that is not the chunk says nothing of the chunk. */
  #decodeCopy(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void {
    try {
      this.#decode(digest, size, target, start);
    } catch (error) {
      if (this.#store.forgetCopy?.(digest) !== true) throw error;
      this.#decode(digest, size, target, start);
    }
  }

  #decode(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void {
    const { codec, isEncrypted, crypt } = this.#parts;
    const storedSize = this.#store.read(digest);
    if (storedSize < 0) {
      throw new StateError("not-found", `Cannot find chunk "${this.#store.pathOf(digest)}"`, {
        hint: "A verification of the datastore tells which snapshots need it",
      });
    }
    if (storedSize === 0) {
      throw new IntegrityError("Cannot use chunk: it is empty", {
        code: "empty",
        hint: "It is lost, or in object storage where this directory is a server's cache",
      });
    }
    codec.decodeInto(this.#store.buffer, 0, storedSize, target, start, size, {
      crypt: isEncrypted ? crypt : undefined,
      digest,
      size,
      isEncrypted,
    });
  }

  /**
   * Renames a corrupt chunk. @returns false then; true when another process has replaced it, and it
   * is loaded now
   */
  #setAside(digest: ChunkDigest, load: () => void): boolean {
    const { quarantine } = this.#store;
    const place = this.#store.placeOf(digest);
    if (quarantine === undefined || place === 0) return false;
    try {
      load();
      return true;
    } catch (error) {
      if (isCorrupt(error)) quarantine.setAside(digest, place);
      return false;
    }
  }

  #translate(error: unknown, digest: ChunkDigest, size: number): unknown {
    const path = this.#store.pathOf(digest);
    // Damage of a chunk, not of what is made of chunks.
    if (error instanceof FormatError) {
      return new IntegrityError(error.message, { code: error.code, path, cause: error });
    }
    if (!(error instanceof LimitError)) return withPlace(error, { path });
    return new IntegrityError(`Cannot use chunk: it has more than ${size} bytes`, {
      code: "length",
      path,
      cause: error,
    });
  }
}

/** What another thread opens the chunks of a snapshot from. */
export interface StoredChunks {
  readonly storage: StorageDescription;
  readonly isEncrypted: boolean;
  /** 32 bytes, where chunks are encrypted. */
  readonly key: Uint8Array<ArrayBuffer> | undefined;
}

/** Opens the chunks of a snapshot for as long as they are used. */
export function withChunkSource(
  { storage: description, isEncrypted, key }: StoredChunks,
  use: (chunks: ChunkSource) => void,
): void {
  const storage = openStorage(description);
  try {
    const crypt = key === undefined ? undefined : new CryptConfig(key);
    const codec = new BlobCodec(nativeCodecs());
    use(new LocalChunkSource({ store: storage.chunks, codec, isEncrypted, crypt }));
  } finally {
    storage.close();
  }
}

/** Whether the bytes of the file are wrong, whatever key and size were asked for. */
function isCorrupt(error: unknown): boolean {
  if (error instanceof FormatError) return true;
  return error instanceof IntegrityError && (error.code === "crc" || error.code === "digest");
}
