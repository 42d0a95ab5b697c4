/**
 * Snapshots in a storage, open for reading.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { located, StateError, UsageError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import { ChunkCache } from "../reading/chunk_cache.ts";
import { ChunkLoader } from "../reading/chunk_loader.ts";
import { ChunkedSource } from "../reading/chunked_source.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { OpenSnapshotOptions, ReadAheadThread, SharedChunks } from "../snapshot_types.ts";
import type { CryptMode } from "../format/crypt.ts";
import { DynamicIndex } from "../format/dynamic_index.ts";
import { FixedIndex } from "../format/fixed_index.ts";
import {
  CLIENT_LOG_NAME,
  cryptModeOf,
  ENCRYPTED_KEY_NAME,
  findManifestFile,
  type Manifest,
  MANIFEST_NAME,
  type ManifestFile,
} from "../format/manifest.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { LocalChunkSource, type StoredChunks } from "../reading/local_chunk_source.ts";
import {
  readFileOf,
  readListedBlob,
  readListedIndex,
  type SnapshotFolder,
} from "./listed_files.ts";
import { BLOB_FILE_SIZE_MAX, loadManifest } from "./manifest_file.ts";
import { checkManifest, requireKey } from "../crypt/manifest_signature.ts";
import { NO_WAIT_GATE, waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import type { OpenStore } from "./open_store.ts";
import type { StorageDescription } from "../storage/storage.ts";
import type { ChunkSource, SnapshotReader } from "../ports.ts";
import { ReadAhead } from "../reading/read_ahead.ts";
import { READ_AHEAD_COUNT } from "../reading/read_ahead_queue.ts";
import { SharedChunkCache } from "../reading/shared_chunk_cache.ts";
import { ChunkCheck } from "../verify/chunk_check.ts";
import { startStoreThread } from "../thread_start.ts";

/** A quarter of the images that a restore has open at a time: the largest chunks have 16 MiB. */
const CACHE_SIZE_DEFAULT = 64 << 20;
/** What the kernel reads ahead of several threads: each of them gets another part. */
const SHARED_GAP_SIZE = 2 << 20;

/** How a snapshot is opened within this folder. */
export interface LocalSnapshotOptions extends OpenSnapshotOptions {
  /** Gives back what keeps the snapshot readable. Default: nothing. */
  readonly release?: () => void;
  /**
   * Whether a new snapshot refers to its chunks: corrupt ones are renamed, so that they are stored
   * anew.
   */
  readonly isBase?: boolean;
}

/** See {@link SnapshotReader}. */
export class LocalSnapshotReader implements SnapshotReader {
  /** Group and time, with the namespace. */
  readonly id: SnapshotId;
  readonly manifest: Manifest;
  readonly cryptMode: CryptMode;
  readonly chunks: ChunkSource;
  readonly #store: OpenStore;
  readonly #folder: string;
  readonly #crypt: CryptConfig | undefined;
  readonly #cache: ChunkCache;
  readonly #ahead: ReadAhead | undefined;
  readonly #shared: SharedChunkCache | undefined;
  readonly #gate: WaitGate;
  #loader: ChunkLoader | undefined;
  #check: ChunkCheck | undefined;
  readonly #release: (() => void) | undefined;

  private constructor(
    store: OpenStore,
    id: SnapshotId,
    manifest: Manifest,
    options: LocalSnapshotOptions,
  ) {
    this.#store = store;
    this.id = id;
    this.manifest = manifest;
    this.cryptMode = cryptModeOf(manifest);
    this.#folder = snapshotDirectory(id);
    this.#crypt = options.crypt;
    this.#release = options.release;
    const isEncrypted = this.cryptMode === "encrypt";
    // A codec of its own: its buffers are as large as the largest chunk.
    const codec = new BlobCodec(store.codecs);
    this.chunks = new LocalChunkSource({
      store: store.storage.chunks,
      codec,
      isEncrypted,
      crypt: options.crypt,
      setsCorruptAside: options.isBase === true,
    });
    this.#gate = options.shared?.gate ?? NO_WAIT_GATE;
    this.#shared = this.#makeShared(options.shared);
    this.#cache = new ChunkCache(
      this.chunks,
      (size) => store.codecs.allocate(size),
      options.cacheBytes ?? CACHE_SIZE_DEFAULT,
      this.#ahead = this.#makeReadAhead(options.readAhead),
    );
  }

  /**
   * Opens a finished snapshot.
   *
   * @throws {StateError} `not-found`, or `locked` while it is being removed
   * @throws {AuthError} `missing-key` or `wrong-key`
   * @throws {IntegrityError} when the manifest is damaged or its signature wrong
   * @throws {FormatError | OsError}
   */
  static open(
    store: OpenStore,
    id: SnapshotId,
    options: LocalSnapshotOptions,
  ): LocalSnapshotReader {
    const lock = store.storage.locks?.lockSnapshot(id, "shared");
    const release = () => {
      lock?.release();
      options.release?.();
    };
    try {
      const manifest = loadManifest(store, id);
      if (options.isKeyOptional !== true) requireKey(manifest, options.crypt);
      checkManifest(manifest, options.crypt);
      return new LocalSnapshotReader(store, id, manifest, { ...options, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Where the snapshot is kept: other threads read it by that, as long as this one is open. */
  get storage(): StorageDescription {
    return this.#store.storage.description;
  }

  blob(name: string): Uint8Array<ArrayBuffer> {
    const isListed = name !== MANIFEST_NAME && name !== CLIENT_LOG_NAME;
    const bytes = isListed
      ? readListedBlob(this.#place, this.#find(name, ".blob"))
      : readFileOf(this.#place, name, BLOB_FILE_SIZE_MAX);
    const path = this.#store.storage.files.pathOf(`${this.#folder}/${name}`);
    return located(() => ({ path }), () => {
      return this.#store.codec.decodeBytes(bytes, {
        crypt: this.#crypt,
        isEncrypted: this.#isBlobEncrypted(name),
      });
    });
  }

  dynamicIndex(name: string): DynamicIndex {
    return readListedIndex(this.#place, this.#find(name, ".didx"), DynamicIndex).index;
  }

  fixedIndex(name: string): FixedIndex {
    return readListedIndex(this.#place, this.#find(name, ".fidx"), FixedIndex).index;
  }

  openArchive(name: string): ByteSource {
    const index = name.endsWith(".fidx") ? this.fixedIndex(name) : this.dynamicIndex(name);
    const { chunks } = this.#store.storage;
    const shared = this.#shared;
    const idKey = this.cryptMode === "encrypt" ? this.#crypt?.idKey : undefined;
    if (shared !== undefined) {
      return new ChunkedSource({
        index,
        idKey,
        cache: shared,
        expect: (digest: ChunkDigest, size: number) => {
          // Also when a thread loads it, one at a time: of a server several are on their way.
          const announce = () => {
            if (this.#gate.tryAdmit()) waitAt(this.#gate, () => chunks.expect(digest));
          };
          if (!shared.expect(digest, size, announce)) announce();
        },
        aheadCount: READ_AHEAD_COUNT,
        gapBytes: SHARED_GAP_SIZE,
      });
    }
    return new ChunkedSource({
      index,
      idKey,
      cache: this.#cache,
      expect: (digest: ChunkDigest, size: number) => {
        if (this.#cache.peek(digest, size) !== undefined) return;
        const announce = () => chunks.expect(digest);
        if (this.#ahead?.expect(digest, size, announce) !== true) announce();
      },
      aheadCount: this.#ahead && READ_AHEAD_COUNT,
    });
  }

  storedChunk(digest: ChunkDigest, size: number): Uint8Array {
    const { chunks } = this.#store.storage;
    const isEncrypted = this.cryptMode === "encrypt";
    const check = this.#check ??= new ChunkCheck(chunks);
    const storedSize = located(
      () => ({ path: chunks.pathOf(digest) }),
      () => check.check({ digest, size, isEncrypted, crypt: undefined }),
    );
    return chunks.buffer.bytes.subarray(0, storedSize);
  }

  /** See {@link Storage.endWaits}. */
  endWaits(): void {
    this.#store.storage.endWaits?.();
  }

  /** Gives back the lock, and ends threads that read ahead. */
  close(): void {
    this.#ahead?.close();
    this.#loader?.close();
    this.#loader = undefined;
    this.#cache.clear();
    this.#release?.();
  }

  #makeReadAhead(thread: ReadAheadThread | undefined): ReadAhead | undefined {
    if (thread === undefined || !mayUseFfi) return undefined;
    return new ReadAhead({
      source: this.#source,
      chunks: this.chunks,
      spawn: thread.spawn ?? startStoreThread,
      allocate: (size) => this.#cache.take(size),
      startBytes: thread.startBytes,
    });
  }

  #makeShared(shared: SharedChunks | undefined): SharedChunkCache | undefined {
    if (shared === undefined) return undefined;
    const { memory, loader, gate } = shared;
    const spawn = loader?.spawn ?? startStoreThread;
    return new SharedChunkCache({
      memory,
      chunks: this.chunks,
      allocate: (size) => this.#store.codecs.allocate(size),
      startLoader: loader && (() => {
        this.#loader = new ChunkLoader(this.#source, memory, spawn);
      }),
      startBytes: loader?.startBytes,
      gate,
    });
  }

  /** What other threads load the same chunks from. */
  get #source(): StoredChunks {
    const isEncrypted = this.cryptMode === "encrypt";
    const key = isEncrypted ? this.#crypt?.key : undefined;
    return { storage: this.storage, isEncrypted, key };
  }

  #isBlobEncrypted(name: string): boolean | undefined {
    // The log comes after the backup and may have been written by hand.
    if (name === CLIENT_LOG_NAME) return undefined;
    return this.cryptMode === "encrypt" && name !== MANIFEST_NAME && name !== ENCRYPTED_KEY_NAME;
  }

  #find(name: string, extension: string): ManifestFile {
    if (!name.endsWith(extension)) {
      throw new UsageError(`Cannot open "${name}": its name does not end with ${extension}`);
    }
    const file = findManifestFile(this.manifest, name);
    if (file !== undefined) return file;
    throw new StateError("not-found", `Cannot find "${name}" in ${formatSnapshot(this.id)}`);
  }

  get #place(): SnapshotFolder {
    return { files: this.#store.storage.files, folder: this.#folder };
  }
}
