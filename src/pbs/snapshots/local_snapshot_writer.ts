/**
 * Snapshots being made in a datastore directory.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Failure, StateError, UsageError } from "#src/errors.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { NewSnapshotOptions } from "../snapshot_types.ts";
import { blobHeaderSize } from "../format/blob.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import type { CryptMode } from "../format/crypt.ts";
import { DynamicIndex } from "../format/dynamic_index.ts";
import { FixedIndex } from "../format/fixed_index.ts";
import {
  CATALOG_NAME,
  CLIENT_LOG_NAME,
  findManifestFile,
  isManifestFileName,
  type Manifest,
  MANIFEST_NAME,
  type ManifestFile,
  withUploadStatistics,
} from "../format/manifest.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import {
  type FinishedStream,
  openDynamicStream,
  openFixedStream,
  type StreamOwner,
} from "../writing/indexed_streams.ts";
import type { LocalSnapshotReader } from "./local_snapshot_reader.ts";
import { encodeManifest, finishSnapshot } from "./manifest_file.ts";
import { signManifest } from "../crypt/manifest_signature.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import type {
  BlobOptions,
  DynamicStreamOptions,
  IndexedStream,
  SnapshotReader,
  SnapshotSummary,
  SnapshotWriter,
} from "../ports.ts";
import { removeEmptyGroup, removeSnapshotDirectory } from "./snapshot_removal.ts";
import {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "../writing/store_chunk_handler.ts";
import { describeStorageKeeper } from "../writing/storage_keeper.ts";
import { startStoreThread } from "../thread_start.ts";

/** What was prepared for a snapshot. */
export interface SnapshotPreparation {
  readonly id: SnapshotId;
  readonly previous: LocalSnapshotReader | undefined;
  /** Whether the group was made for it. */
  readonly isNewGroup: boolean;
  /** Gives back the locks of the group, the snapshot and the store. */
  readonly release: () => void;
}

/** See {@link SnapshotWriter}. */
export class LocalSnapshotWriter implements SnapshotWriter {
  /** Group and time that the snapshot got. */
  readonly id: SnapshotId;
  readonly cryptMode: CryptMode;
  readonly #store: OpenStore;
  readonly #crypt: CryptConfig | undefined;
  readonly #options: NewSnapshotOptions;
  readonly #preparation: SnapshotPreparation;
  readonly #names = new Set<string>();
  readonly #files: ManifestFile[] = [];
  readonly #uploads = { count: 0, size: 0, compressedSize: 0, duplicates: 0 };
  readonly #counts = { newChunkCount: 0, newBytes: 0, newStoredBytes: 0, knownChunkCount: 0 };
  #openCount = 0;
  #pipeline: ChunkPipeline | undefined;
  #hasEnded = false;

  /** Use `Datastore.startSnapshot()`, which chooses the time and takes the locks. */
  constructor(store: OpenStore, options: NewSnapshotOptions, preparation: SnapshotPreparation) {
    this.id = preparation.id;
    this.cryptMode = options.cryptMode ?? (options.crypt === undefined ? "none" : "encrypt");
    this.#store = store;
    this.#crypt = this.cryptMode === "none" ? undefined : options.crypt;
    this.#options = options;
    this.#preparation = preparation;
  }

  get keyFingerprint(): string | undefined {
    return this.#crypt?.fingerprint;
  }

  get previous(): SnapshotReader | undefined {
    return this.#preparation.previous;
  }

  openDynamic(name: string, options: DynamicStreamOptions): IndexedStream {
    this.#take(name, ".didx");
    return this.#opened(() => {
      const owner = this.#ownerOf(name, (previous) => previous.dynamicIndex(name));
      return openDynamicStream(owner, name, options);
    });
  }

  openFixed(name: string, size: number | undefined, chunkSize: number): IndexedStream {
    this.#take(name, ".fidx");
    return this.#opened(() => {
      const owner = this.#ownerOf(name, (previous) => previous.fixedIndex(name));
      return openFixedStream(owner, name, size, chunkSize);
    });
  }

  addBlob(name: string, content: Uint8Array<ArrayBuffer>, options: BlobOptions = {}): number {
    this.#take(name, ".blob");
    const isEncrypted = this.cryptMode === "encrypt" && options.encrypt !== false;
    const bytes = this.#store.codec.encodeBytes(content, {
      compress: options.compress ?? true,
      crypt: isEncrypted ? this.#crypt : undefined,
    });
    this.#write(name, bytes);
    // The log belongs to no backup: it may be written when that is done.
    if (name === CLIENT_LOG_NAME) return bytes.length;
    this.#uploads.size += bytes.length;
    this.#list(name, bytes.length, sha256Of(bytes).toHex());
    return bytes.length;
  }

  keepChunk(digest: ChunkDigest): boolean {
    this.#checkRunning();
    // Garbage collection spares what was touched since the oldest writer of its process began.
    return this.#store.storage.chunks.touch(digest) > blobHeaderSize(this.cryptMode === "encrypt");
  }

  finish(): SnapshotSummary {
    this.#checkRunning();
    if (this.#openCount > 0) {
      throw new StateError("busy", `Cannot finish ${formatSnapshot(this.id)}: a stream is open`);
    }
    this.#pipeline?.finish();
    const manifest = this.#makeManifest();
    finishSnapshot(this.#store, this.id, encodeManifest(this.#store, manifest));
    this.#end();
    return { id: this.id, manifest, ...this.#counts };
  }

  abort(): void {
    if (this.#hasEnded) return;
    try {
      this.#pipeline?.abort();
      removeSnapshotDirectory(this.#store, this.id);
      if (this.#preparation.isNewGroup) removeEmptyGroup(this.#store, this.id.group);
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#preparation.previous?.close();
    this.#preparation.release();
  }

  #checkRunning(): void {
    if (!this.#hasEnded) return;
    throw new StateError("busy", `Cannot write to ${formatSnapshot(this.id)}: it has been ended`);
  }

  #take(name: string, extension: string): void {
    this.#checkRunning();
    if (!isManifestFileName(name) || !name.endsWith(extension) || name === MANIFEST_NAME) {
      throw new UsageError(`Cannot store "${name}": no name of a file that ends with ${extension}`);
    }
    if (this.#names.has(name)) throw new UsageError(`Cannot store "${name}": it is there already`);
    this.#names.add(name);
  }

  #opened(open: () => IndexedStream): IndexedStream {
    const stream = open();
    this.#openCount++;
    return stream;
  }

  #ownerOf(
    name: string,
    indexOf: (previous: LocalSnapshotReader) => ChunkIndex,
  ): StreamOwner {
    return {
      pipeline: this.#pipeline ??= this.#makePipeline(),
      previousIndex: () => {
        const { previous } = this.#preparation;
        // Clients do not look at the previous catalog.
        if (previous === undefined || name === CATALOG_NAME) return undefined;
        if (findManifestFile(previous.manifest, name) === undefined) return undefined;
        try {
          return indexOf(previous);
        } catch (error) {
          // Damaged: a client sends everything then. It is for the numbers in the manifest only.
          if (error instanceof Failure) return undefined;
          throw error;
        }
      },
      finished: (stream) => this.#finished(stream),
    };
  }

  #makePipeline(): ChunkPipeline {
    const { workers, budgetBytes } = this.#options;
    const key = this.cryptMode === "encrypt" ? this.#crypt?.key : undefined;
    const { storage } = this.#store;
    const keeper = describeStorageKeeper(storage.description, key !== undefined);
    const description: StoreChunkHandlerDescription = { keeper, key };
    return new ChunkPipeline({
      handler: new StoreChunkHandler(description),
      budgetBytes,
      workers: workers && {
        count: workers.count,
        spawn: workers.spawn ?? startStoreThread,
        startBytes: workers.startBytes,
        description,
      },
    });
  }

  #finished({ summary, index, uploads, knownCount }: FinishedStream): void {
    if (writableParts(this.#store).writerLock.isHeldExclusively) {
      this.#touchChunks(summary.name, index.bytes);
    }
    this.#write(summary.name, index.bytes);
    this.#list(summary.name, summary.size, summary.checksum);
    this.#openCount--;
    this.#uploads.count += uploads.count;
    this.#uploads.size += uploads.size;
    this.#uploads.compressedSize += uploads.compressedSize;
    this.#uploads.duplicates += uploads.duplicates;
    this.#counts.newChunkCount += summary.newChunkCount;
    this.#counts.newBytes += summary.newBytes;
    this.#counts.newStoredBytes += summary.newStoredBytes;
    this.#counts.knownChunkCount += knownCount;
  }

  /**
   * Garbage is being collected by this process, which may have looked for indexes here already:
   * then the base has kept the chunks that were taken over from it, and it can be removed as soon
   * as this snapshot is finished.
   */
  #touchChunks(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    const index = name.endsWith(".fidx") ? FixedIndex.parse(bytes) : DynamicIndex.parse(bytes);
    for (let position = 0; position < index.count; position++) {
      const digest = index.digestOf(position);
      if (this.#store.storage.chunks.touch(digest) >= 0) continue;
      throw new StateError("not-found", `Cannot store "${name}": chunk ${digest} is missing`);
    }
  }

  #write(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    writableParts(this.#store).files.replace(`${snapshotDirectory(this.id)}/${name}`, bytes);
  }

  #list(filename: string, size: number, csum: string): void {
    this.#files.push({ filename, size, csum, cryptMode: this.cryptMode });
  }

  #makeManifest(): Manifest {
    const { group, time } = this.id;
    const unsigned: Manifest = {
      backupType: group.type,
      backupId: group.id,
      backupTime: time,
      files: this.#files,
      signature: undefined,
      unprotected: {},
    };
    const manifest = this.#crypt === undefined ? unsigned : signManifest(unsigned, this.#crypt);
    // A server counts the manifest as it was sent, which is without the counts.
    const size = this.#uploads.size + encodeManifest(this.#store, manifest).length;
    return withUploadStatistics(manifest, { ...this.#uploads, size });
  }
}
