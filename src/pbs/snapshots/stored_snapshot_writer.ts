/**
 * Snapshots being made, wherever they go.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Failure, StateError, UsageError } from "#src/errors.ts";
import type { BlobCodec } from "../crypt/blob_codec.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { NewSnapshotOptions } from "../snapshot_types.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import type { CryptMode } from "../format/crypt.ts";
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
import { formatSnapshot, type SnapshotId } from "../format/snapshot_path.ts";
import {
  type FinishedStream,
  openDynamicStream,
  openFixedStream,
  type StreamOwner,
} from "../writing/indexed_streams.ts";
import { encodeManifest } from "./manifest_file.ts";
import { signManifest } from "../crypt/manifest_signature.ts";
import type {
  BlobOptions,
  ChunkOrigin,
  DynamicStreamOptions,
  IndexedStream,
  SnapshotReader,
  SnapshotSummary,
  SnapshotWriter,
} from "../ports.ts";
import type { SnapshotDestination } from "./snapshot_destination.ts";
import {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "../writing/store_chunk_handler.ts";
import { startStoreThread } from "../thread_start.ts";

/** See {@link SnapshotWriter}. */
export class StoredSnapshotWriter implements SnapshotWriter {
  /** Group and time that the snapshot got. */
  readonly id: SnapshotId;
  readonly cryptMode: CryptMode;
  readonly #codec: BlobCodec;
  readonly #destination: SnapshotDestination;
  readonly #crypt: CryptConfig | undefined;
  readonly #options: NewSnapshotOptions;
  readonly #names = new Set<string>();
  readonly #files: ManifestFile[] = [];
  readonly #uploads = { count: 0, size: 0, compressedSize: 0, duplicates: 0 };
  readonly #counts = { newChunkCount: 0, newBytes: 0, newStoredBytes: 0, knownChunkCount: 0 };
  readonly #streamNumbers = new WeakMap<IndexedStream, number>();
  #openCount = 0;
  #pipeline: ChunkPipeline | undefined;
  #hasEnded = false;

  /**
   * Use `startSnapshot()` of a store, which chooses the time and takes the locks. @param codec for
   * blobs
   */
  constructor(codec: BlobCodec, options: NewSnapshotOptions, destination: SnapshotDestination) {
    this.id = destination.id;
    this.cryptMode = options.cryptMode ?? (options.crypt === undefined ? "none" : "encrypt");
    this.#codec = codec;
    this.#destination = destination;
    this.#crypt = this.cryptMode === "none" ? undefined : options.crypt;
    this.#options = options;
  }

  get keyFingerprint(): string | undefined {
    return this.#crypt?.fingerprint;
  }

  get previous(): SnapshotReader | undefined {
    return this.#destination.previous;
  }

  openDynamic(name: string, options: DynamicStreamOptions): IndexedStream {
    this.#take(name, ".didx");
    return this.#opened(() => {
      const owner = this.#ownerOf(name, undefined, (previous) => previous.dynamicIndex(name));
      return [openDynamicStream(owner, name, options), owner];
    });
  }

  openFixed(name: string, size: number | undefined, chunkSize: number): IndexedStream {
    this.#take(name, ".fidx");
    return this.#opened(() => {
      const owner = this.#ownerOf(name, size, (previous) => previous.fixedIndex(name));
      return [openFixedStream(owner, name, size, chunkSize), owner];
    });
  }

  addBlob(name: string, content: Uint8Array<ArrayBuffer>, options: BlobOptions = {}): number {
    this.#take(name, ".blob");
    const isEncrypted = this.cryptMode === "encrypt" && options.encrypt !== false;
    const bytes = this.#codec.encodeBytes(content, {
      compress: options.compress ?? true,
      crypt: isEncrypted ? this.#crypt : undefined,
    });
    this.#destination.writeBlob(name, bytes);
    // The log belongs to no backup: it may be written when that is done.
    if (name === CLIENT_LOG_NAME) return bytes.length;
    this.#uploads.size += bytes.length;
    this.#list(name, bytes.length, sha256Of(bytes).toHex());
    return bytes.length;
  }

  keepChunk(digest: ChunkDigest, origin?: ChunkOrigin): boolean {
    this.#checkRunning();
    const streamNumber = origin && this.#streamNumbers.get(origin.stream);
    const place = streamNumber === undefined ? undefined : { ...origin!, streamNumber };
    return this.#destination.keepChunk(digest, this.cryptMode === "encrypt", place);
  }

  finish(): SnapshotSummary {
    this.#checkRunning();
    if (this.#openCount > 0) {
      throw new StateError("busy", `Cannot finish ${formatSnapshot(this.id)}: a stream is open`);
    }
    this.#pipeline?.finish();
    const signed = this.#makeManifest();
    const sent = encodeManifest(this.#codec, signed);
    // A server counts the manifest as it was sent, which is without the counts.
    const size = this.#uploads.size + sent.length;
    const manifest = withUploadStatistics(signed, { ...this.#uploads, size });
    this.#destination.commit(sent, manifest);
    this.#hasEnded = true;
    return { id: this.id, manifest, ...this.#counts };
  }

  abort(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    try {
      this.#pipeline?.abort();
    } finally {
      this.#destination.remove();
    }
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

  #opened(open: () => [IndexedStream, StreamOwner]): IndexedStream {
    const [stream, { streamNumber = 0 }] = open();
    this.#streamNumbers.set(stream, streamNumber);
    this.#openCount++;
    return stream;
  }

  #ownerOf(
    name: string,
    size: number | undefined,
    indexOf: (previous: SnapshotReader) => ChunkIndex,
  ): StreamOwner {
    let known: { readonly index: ChunkIndex | undefined } | undefined;
    const previous = () => (known ??= { index: this.#previousIndex(name, indexOf) }).index;
    const { close, ...place } = this.#destination.openIndex({ name, size, previous });
    return {
      ...place,
      pipeline: this.#pipeline ??= this.#makePipeline(),
      previousIndex: previous,
      finished: (stream) => {
        close(stream.index, stream.summary.size);
        this.#finished(stream);
      },
    };
  }

  #previousIndex(
    name: string,
    indexOf: (previous: SnapshotReader) => ChunkIndex,
  ): ChunkIndex | undefined {
    const { previous } = this.#destination;
    // Clients do not look at the previous catalog.
    if (previous === undefined || name === CATALOG_NAME) return undefined;
    if (findManifestFile(previous.manifest, name) === undefined) return undefined;
    try {
      return indexOf(previous);
    } catch (error) {
      // Damaged: then everything is sent. In a storage it is for the numbers in the manifest only.
      if (error instanceof Failure && !error.isTemporary) return undefined;
      throw error;
    }
  }

  #makePipeline(): ChunkPipeline {
    const { workers, budgetBytes } = this.#options;
    const key = this.cryptMode === "encrypt" ? this.#crypt?.key : undefined;
    const keeper = this.#destination.keeper(key !== undefined);
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

  #finished({ summary, uploads, knownCount }: FinishedStream): void {
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
    return this.#crypt === undefined ? unsigned : signManifest(unsigned, this.#crypt);
  }
}
