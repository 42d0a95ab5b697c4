/**
 * One snapshot of a server as a storage: its files, and the chunks of its indexes. Nothing can be
 * written or listed; that is done by calls of the server.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { Errno, OsError, ProtocolError, StateError, UsageError } from "#src/errors.ts";
import { type ByteSource, checkRead } from "#src/io/byte_source.ts";
import type {
  ChunkStorage,
  FileStorage,
  Storage,
  StorageDescription,
  StoredStatus,
} from "../storage/storage.ts";
import { SENT_BLOB_SIZE_MAX } from "./calls.ts";
import { ChunkDiskCache, type ChunkDiskCacheAddress } from "./chunk_disk_cache.ts";
import { NetworkLink } from "./network_link.ts";

/** Names a {@link ServerStorage}: valid as long as the session is open. */
export interface ServerStorageDescription extends StorageDescription {
  readonly kind: "server";
  /** What messages call the datastore. */
  readonly name: string;
  /** The mailbox of the network thread. */
  readonly mailbox: SharedArrayBuffer;
  /** Of the network thread. */
  readonly session: number;
  /** Where chunks are kept that were read. Default: nowhere. */
  readonly cache?: ChunkDiskCacheAddress | undefined;
}

/** Reads a file of the snapshot. @throws {StateError} `not-found` */
export type ReadFile = (name: string, sizeMax: number) => Uint8Array<ArrayBuffer>;

/** See {@link Storage}. */
export class ServerStorage implements Storage {
  readonly description: ServerStorageDescription;
  readonly files: FileStorage;
  readonly locks = undefined;
  readonly writerLock = undefined;
  readonly garbage = undefined;
  readonly #chunks: ServerChunks;
  readonly #link: NetworkLink;

  /** @param readFile default: downloads by the session */
  constructor(description: ServerStorageDescription, readFile?: ReadFile) {
    const { name, session } = description;
    const link = new NetworkLink(description.mailbox);
    this.description = description;
    this.#link = link;
    this.#chunks = new ServerChunks(link, description);
    this.files = new ServerFiles(
      name,
      readFile ??
        ((file, sizeMax) => link.bytes({ what: "download", session, name: file, sizeMax })),
    );
  }

  space(): undefined {
    return undefined;
  }

  get chunks(): ChunkStorage {
    return this.#chunks;
  }

  /** Ends the session. */
  endWaits(): void {
    try {
      this.#link.ask({ what: "close", session: this.description.session });
    } catch (error) {
      // Nobody waits for a thread that has ended.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  /** The session is that of all threads, and goes on. */
  close(): void {
    this.#chunks.close();
  }
}

/** Encoded chunks, each asked for when it is needed. */
class ServerChunks implements ChunkStorage {
  readonly quarantine = undefined;
  readonly #link: NetworkLink;
  readonly #description: ServerStorageDescription;
  readonly #cache: ChunkDiskCache | undefined;
  #received: NativeBuffer | undefined;
  #isFromCache = false;

  constructor(link: NetworkLink, description: ServerStorageDescription) {
    this.#link = link;
    this.#description = description;
    this.#cache = description.cache && ChunkDiskCache.open(description.cache);
  }

  get buffer(): NativeBuffer {
    if (this.#isFromCache) return this.#cache!.buffer;
    return this.#received ??= hostCodecs().allocate(SENT_BLOB_SIZE_MAX);
  }

  pathOf(digest: ChunkDigest): string {
    return `${this.#description.name}/.chunks/${digest}`;
  }

  /** A server tells that with the chunk alone. Those of its indexes it has, for all it knows. */
  storedSize(): number {
    return SENT_BLOB_SIZE_MAX;
  }

  touch(): number {
    throw readOnly(this.#description.name);
  }

  read(digest: ChunkDigest): number {
    const cachedSize = this.#cache?.read(digest) ?? -1;
    this.#isFromCache = cachedSize >= 0;
    if (this.#isFromCache) return cachedSize;
    const size = this.#receive(digest);
    if (size > 0) this.#cache?.write(digest, this.buffer, size);
    return size;
  }

  forgetCopy(digest: ChunkDigest): boolean {
    if (!this.#isFromCache) return false;
    this.#cache!.forget(digest);
    return true;
  }

  close(): void {
    this.#cache?.close();
  }

  #receive(digest: ChunkDigest): number {
    const { session } = this.#description;
    let size = 0;
    try {
      this.#link.ask({ what: "chunk", session, digest }, {
        take: (part) => {
          if (part.length > 0) this.buffer.bytes.set(part, size);
          size += part.length;
        },
      });
    } catch (error) {
      if (isNotFound(error)) return -1;
      throw error;
    }
    return size;
  }

  expect(digest: ChunkDigest): void {
    if (this.#cache?.has(digest) === true) return;
    this.#link.expect(this.#description.session, digest);
  }

  write(): void {
    throw readOnly(this.#description.name);
  }

  add(): boolean {
    throw readOnly(this.#description.name);
  }

  placeOf(): number {
    return 0;
  }
}

/** Files of the snapshot by the last part of their names. */
class ServerFiles implements FileStorage {
  readonly #store: string;
  readonly #read: ReadFile;

  constructor(store: string, readFile: ReadFile) {
    this.#store = store;
    this.#read = readFile;
  }

  pathOf(name: string): string {
    return name === "" ? this.#store : `${this.#store}/${name}`;
  }

  /** The snapshot is there: it is open. */
  status(): StoredStatus {
    return { kind: "folder", size: 0 };
  }

  list(): never {
    throw new UsageError(`Cannot list files of "${this.#store}" by a session that reads`);
  }

  read(name: string, sizeMax: number): Uint8Array<ArrayBuffer> {
    try {
      return this.#read(name.slice(name.lastIndexOf("/") + 1), sizeMax);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new OsError(Errno.ENOENT, "open", this.pathOf(name), { cause: error });
    }
  }

  open(name: string): ByteSource {
    return bytesSource(this.read(name, Number.MAX_SAFE_INTEGER));
  }

  replace(): never {
    throw readOnly(this.#store);
  }

  commit(): never {
    throw readOnly(this.#store);
  }

  remove(): never {
    throw readOnly(this.#store);
  }

  makeFolder(): never {
    throw readOnly(this.#store);
  }

  removeFolder(): never {
    throw readOnly(this.#store);
  }

  removeFolderTree(): never {
    throw readOnly(this.#store);
  }
}

function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    readAt(target, start, size, offset) {
      checkRead(target, start, size, offset);
      const part = bytes.subarray(offset, offset + size);
      target.bytes.set(part, start);
      return part.length;
    },
    close() {},
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof StateError && error.code === "not-found";
}

function readOnly(name: string): UsageError {
  return new UsageError(`Cannot change "${name}" by a session that reads`);
}
