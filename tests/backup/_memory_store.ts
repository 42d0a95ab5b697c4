/**
 * A store of snapshots in memory behind the ports of the library, which counts what is loaded.
 * Nothing is compressed or encrypted.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import type { ChunkHandler } from "#src/chunking/chunk_handler.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { ChunkCache } from "#src/pbs/reading/chunk_cache.ts";
import { ChunkedSource } from "#src/pbs/reading/chunked_source.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndex } from "#src/pbs/format/fixed_index.ts";
import type { Manifest, ManifestFile } from "#src/pbs/format/manifest.ts";
import { ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import {
  openDynamicStream,
  openFixedStream,
  type StreamOwner,
} from "#src/pbs/writing/indexed_streams.ts";
import type {
  ChunkSource,
  DynamicStreamOptions,
  IndexedStream,
  SnapshotReader,
  SnapshotSummary,
  SnapshotWriter,
} from "#src/pbs/ports.ts";

const CACHE_SIZE = 64 << 20;

/** Snapshots of one group. */
export class MemoryStore implements ChunkSource {
  readonly chunks = new Map<ChunkDigest, Uint8Array>();
  readonly snapshots: MemorySnapshot[] = [];
  /** Chunks that were loaded since the set was cleared. */
  readonly loaded = new Set<ChunkDigest>();

  /** Starts a snapshot after the others. */
  start(cryptMode: CryptMode = "none"): MemoryWriter {
    return new MemoryWriter(this, cryptMode);
  }

  /** The last snapshot. */
  get last(): MemorySnapshot {
    return this.snapshots.at(-1)!;
  }

  load(digest: ChunkDigest, size: number, target: { bytes: Uint8Array }, start: number): void {
    const chunk = this.chunks.get(digest);
    if (chunk?.length !== size) throw new StateError("not-found", `There is no chunk ${digest}`);
    this.loaded.add(digest);
    target.bytes.set(chunk, start);
  }

  has(digest: ChunkDigest): boolean {
    return this.chunks.has(digest);
  }
}

/** A finished snapshot. */
export class MemorySnapshot implements SnapshotReader {
  readonly chunks: MemoryStore;

  constructor(
    store: MemoryStore,
    readonly id: SnapshotId,
    readonly manifest: Manifest,
    readonly cryptMode: CryptMode,
    readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ) {
    this.chunks = store;
  }

  blob(name: string): Uint8Array<ArrayBuffer> {
    return this.#file(name);
  }

  dynamicIndex(name: string): DynamicIndex {
    return DynamicIndex.parse(this.#file(name));
  }

  fixedIndex(name: string): FixedIndex {
    return FixedIndex.parse(this.#file(name));
  }

  storedChunk(digest: ChunkDigest): Uint8Array {
    return this.chunks.chunks.get(digest)!;
  }

  openArchive(name: string): ByteSource {
    const index = name.endsWith(".fidx") ? this.fixedIndex(name) : this.dynamicIndex(name);
    // A cache of its own, so that every source loads what it needs.
    const cache = new ChunkCache(this.chunks, plainBuffer, CACHE_SIZE);
    return new ChunkedSource({ index, cache });
  }

  close(): void {}

  #file(name: string): Uint8Array<ArrayBuffer> {
    const file = this.files.get(name);
    if (file === undefined) throw new StateError("not-found", `There is no file ${name}`);
    return file;
  }
}

/** A snapshot in the making. */
export class MemoryWriter implements SnapshotWriter {
  readonly id: SnapshotId;
  readonly cryptMode: CryptMode;
  readonly previous: SnapshotReader | undefined;
  readonly keyFingerprint = undefined;
  isAborted = false;
  readonly #store: MemoryStore;
  readonly #pipeline: ChunkPipeline;
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #listed: ManifestFile[] = [];

  constructor(store: MemoryStore, cryptMode: CryptMode) {
    this.#store = store;
    this.cryptMode = cryptMode;
    this.previous = store.snapshots.at(-1);
    const group = { ns: ROOT_NAMESPACE, type: "host", id: "test" } as const;
    this.id = { group, time: 1_700_000_000 + store.snapshots.length };
    this.#pipeline = new ChunkPipeline({ handler: handlerFor(store) });
  }

  openDynamic(name: string, options: DynamicStreamOptions): IndexedStream {
    return openDynamicStream(this.#owner, name, options);
  }

  openFixed(name: string, size: number | undefined, chunkSize: number): IndexedStream {
    return openFixedStream(this.#owner, name, size, chunkSize);
  }

  addBlob(name: string, content: Uint8Array<ArrayBuffer>): number {
    this.#add(name, content.slice(), content.length, sha256Of(content).toHex());
    return content.length;
  }

  keepChunk(digest: ChunkDigest): boolean {
    return this.#store.has(digest);
  }

  finish(): SnapshotSummary {
    const done = this.#pipeline.finish();
    const manifest: Manifest = {
      backupType: "host",
      backupId: "test",
      backupTime: this.id.time,
      files: this.#listed,
      signature: undefined,
      unprotected: {},
    };
    const snapshot = new MemorySnapshot(
      this.#store,
      this.id,
      manifest,
      this.cryptMode,
      this.#files,
    );
    this.#store.snapshots.push(snapshot);
    return {
      id: this.id,
      manifest,
      newChunkCount: done.newChunkCount,
      newBytes: done.newPlainBytes,
      newStoredBytes: done.newStoredBytes,
      knownChunkCount: done.chunkCount - done.newChunkCount,
    };
  }

  abort(): void {
    this.isAborted = true;
    this.#pipeline.abort();
  }

  get #owner(): StreamOwner {
    return {
      pipeline: this.#pipeline,
      previousIndex: () => undefined,
      finished: ({ summary, index }) => {
        this.#add(summary.name, index.bytes, summary.size, summary.checksum);
      },
    };
  }

  #add(filename: string, bytes: Uint8Array<ArrayBuffer>, size: number, csum: string): void {
    this.#files.set(filename, bytes);
    if (filename === "client.log.blob") return;
    this.#listed.push({ filename, size, csum, cryptMode: this.cryptMode });
  }
}

function handlerFor(store: MemoryStore): ChunkHandler {
  return {
    handle: ({ bytes }, start, size) => {
      const plain = bytes.slice(start, start + size);
      const digest = digestOf(sha256Of(plain));
      const isNew = !store.chunks.has(digest);
      if (isNew) store.chunks.set(digest, plain);
      return { digest, storedSize: size, isNew };
    },
  };
}
