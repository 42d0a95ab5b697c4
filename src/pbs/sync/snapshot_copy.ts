/**
 * Copies one snapshot as it is stored: each index after the chunks of it that are missing, and the
 * manifest last.
 *
 * @module
 */

import { type ChunkDigest, digestBytes } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import {
  AuthError,
  type Failure,
  FormatError,
  IntegrityError,
  LimitError,
  located,
  StateError,
} from "#src/errors.ts";
import type { EncodedBlob } from "../crypt/blob_codec.ts";
import { parseBlobHeader } from "../format/blob.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import {
  CLIENT_LOG_NAME,
  cryptModeOf,
  findManifestFile,
  type Manifest,
  type ManifestFile,
  withVerifyState,
} from "../format/manifest.ts";
import { snapshotDirectory } from "../format/snapshot_path.ts";
import type { SnapshotReader } from "../ports.ts";
import { isIndexName } from "../reading/index_scan.ts";
import {
  indexKindOf,
  readFileOf,
  readListedBlob,
  readListedIndex,
  type SnapshotFolder,
} from "../snapshots/listed_files.ts";
import { BLOB_FILE_SIZE_MAX, encodeManifest, loadManifest } from "../snapshots/manifest_file.ts";
import { type OpenStore, openStore } from "../snapshots/open_store.ts";
import type { OpenIndex, SnapshotDestination } from "../snapshots/snapshot_destination.ts";
import { ChunkCheck } from "../verify/chunk_check.ts";
import type { ChunkKeeper } from "../writing/chunk_keeper.ts";
import { openKeeper } from "../writing/open_keeper.ts";
import type { CopyableStore, StoredSnapshot } from "./ports.ts";

/** How far the copy of a snapshot is. */
export interface CopyCounts {
  /** Chunks that the target did not have. */
  readonly newChunkCount: number;
  /** Stored bytes of these. */
  readonly newBytes: number;
  /** Bytes of the streams that are done. */
  readonly doneBytes: number;
  /** Bytes of all streams. */
  readonly totalBytes: number;
}

/** Is told of a copy after each chunk; what it throws ends the copy. */
export type CopyListener = (counts: CopyCounts) => void;

/** So many chunks are looked for before the first of them has to be there. */
const AHEAD_COUNT = 16;
/** Memory for what is known of chunks; when there are more, they are asked for again. */
const KNOWN_BUDGET = 96 << 20;

/**
 * Copies a snapshot. On an error nothing of it is left.
 *
 * @throws {IntegrityError | FormatError | LimitError} when something of it is damaged or missing
 * @throws what {@link CopyableStore.startCopy} throws
 */
export function copySnapshot(
  stored: StoredSnapshot,
  target: CopyableStore,
  onProgress: CopyListener,
): CopyCounts {
  const store = openStore(stored.storage, false);
  const manifest = loadManifest(store, stored.id);
  const destination = target.startCopy(stored.id);
  try {
    const counts = new SnapshotCopy(store, stored, manifest, destination, onProgress).run();
    // That of the source says nothing of the copy.
    const copied = withVerifyState(manifest, undefined);
    destination.commit(encodeManifest(store.codec, copied), copied);
    return counts;
  } catch (error) {
    destination.remove();
    throw error;
  }
}

/** A chunk of an index that was looked for. */
interface WaitingChunk {
  readonly digest: ChunkDigest;
  readonly start: number;
  readonly size: number;
  readonly isMissing: boolean;
}

class SnapshotCopy {
  readonly #store: OpenStore;
  readonly #place: SnapshotFolder;
  readonly #manifest: Manifest;
  readonly #destination: SnapshotDestination;
  readonly #onProgress: CopyListener;
  readonly #isEncrypted: boolean;
  readonly #check: ChunkCheck;
  readonly #keeper: ChunkKeeper;
  readonly #known = new DigestTable(KNOWN_BUDGET);
  readonly #counts: { -readonly [Name in keyof CopyCounts]: CopyCounts[Name] };

  constructor(
    store: OpenStore,
    { id, storage }: StoredSnapshot,
    manifest: Manifest,
    destination: SnapshotDestination,
    onProgress: CopyListener,
  ) {
    this.#store = store;
    this.#place = { files: storage.files, folder: snapshotDirectory(id) };
    this.#manifest = manifest;
    this.#destination = destination;
    this.#onProgress = onProgress;
    this.#isEncrypted = cryptModeOf(manifest) === "encrypt";
    this.#check = new ChunkCheck(storage.chunks);
    const indexes = manifest.files.filter(({ filename }) => isIndexName(filename));
    const totalBytes = indexes.reduce((sum, { size }) => sum + size, 0);
    this.#counts = { newChunkCount: 0, newBytes: 0, doneBytes: 0, totalBytes };
    this.#keeper = openKeeper(destination.keeper(this.#isEncrypted, false));
  }

  run(): CopyCounts {
    try {
      for (const file of this.#manifest.files) {
        if (isIndexName(file.filename)) this.#copyIndex(file);
        else this.#copyBlob(file);
      }
      this.#copyLog();
      return { ...this.#counts };
    } finally {
      this.#keeper.close();
    }
  }

  #copyBlob(file: ManifestFile): void {
    const { filename } = file;
    const bytes = damageOf(filename, () => readListedBlob(this.#place, file));
    this.#destination.writeBlob(filename, bytes);
  }

  #copyIndex(file: ManifestFile): void {
    const { filename: name } = file;
    const { index, bytes } = damageOf(
      name,
      () => readListedIndex(this.#place, file, indexKindOf(name)),
    );
    const place = this.#destination.openIndex({
      name,
      size: name.endsWith(".fidx") ? index.size : undefined,
      previous: () => previousIndex(this.#destination.previous, name),
    });
    const waiting: WaitingChunk[] = [];
    for (let position = 0; position < index.count; position++) {
      waiting.push(this.#lookFor(index, position));
      if (waiting.length > AHEAD_COUNT) this.#copyChunk(name, waiting.shift()!, place);
    }
    for (const chunk of waiting) this.#copyChunk(name, chunk, place);
    place.close({ bytes, checksum: index.statedChecksum }, index.size);
  }

  #lookFor(index: ChunkIndex, position: number): WaitingChunk {
    const digest = index.digestOf(position);
    const start = index.startOf(position);
    const size = index.endOf(position) - start;
    const bytes = digestBytes(digest);
    const isKnown = this.#known.get(bytes, 0) === size;
    this.#known.set(bytes, 0, size);
    const isMissing = !isKnown && this.#keeper.find(digest, size) < 0;
    if (isMissing) this.#store.storage.chunks.expect(digest);
    return { digest, start, size, isMissing };
  }

  #copyChunk(
    name: string,
    { digest, start, size, isMissing }: WaitingChunk,
    { streamNumber = 0, appended }: OpenIndex,
  ): void {
    if (isMissing) {
      const blob = damageOf(name, () => this.#fetch(digest, size));
      this.#keeper.keep(digest, size, blob, streamNumber);
      this.#counts.newChunkCount++;
      this.#counts.newBytes += blob.size;
    }
    appended?.(digest, start);
    this.#counts.doneBytes += size;
    this.#onProgress(this.#counts);
  }

  /** A chunk of the source, checked as far as that is possible without a key. */
  #fetch(digest: ChunkDigest, size: number): EncodedBlob {
    const isEncrypted = this.#isEncrypted;
    const { chunks } = this.#store.storage;
    const storedSize = located(
      () => ({ path: chunks.pathOf(digest) }),
      () => this.#check.check({ digest, size, isEncrypted, crypt: undefined }),
    );
    const { buffer } = chunks;
    const { isCompressed } = parseBlobHeader(buffer.bytes, 0, storedSize);
    return { buffer, start: 0, size: storedSize, isCompressed, isEncrypted };
  }

  /** What the client added when it was done: no part of the snapshot, and not always there. */
  #copyLog(): void {
    const { files, folder } = this.#place;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = readFileOf(this.#place, CLIENT_LOG_NAME, BLOB_FILE_SIZE_MAX);
    } catch (error) {
      if (error instanceof StateError && error.code === "not-found") return;
      throw error;
    }
    const path = files.pathOf(`${folder}/${CLIENT_LOG_NAME}`);
    try {
      located(() => ({ path }), () => this.#store.codec.decodeBytes(bytes));
    } catch (error) {
      // It is encrypted, and all that can be known of it without the key is right.
      if (!(error instanceof AuthError)) throw error;
    }
    this.#destination.writeBlob(CLIENT_LOG_NAME, bytes);
  }
}

/** Whether an error means that a snapshot is damaged, and not only out of reach. */
export function isDamaged(error: unknown): boolean {
  return error instanceof IntegrityError || error instanceof FormatError ||
    error instanceof LimitError;
}

/** Reads something of a file of the source; damage of it names the file. */
function damageOf<Result>(name: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const isMissing = error instanceof StateError && error.code === "not-found";
    if (!(error instanceof Error) || !isMissing && !isDamaged(error)) throw error;
    const { code } = error as Failure;
    const problem = error.message.includes(name) ? error.message : `"${name}": ${error.message}`;
    throw new IntegrityError(`Cannot copy ${problem}`, { code, cause: error });
  }
}

/** The index of the snapshot that the copy is based on, where it can be read. */
function previousIndex(
  previous: SnapshotReader | undefined,
  name: string,
): ChunkIndex | undefined {
  if (previous === undefined || findManifestFile(previous.manifest, name) === undefined) {
    return undefined;
  }
  try {
    return name.endsWith(".fidx") ? previous.fixedIndex(name) : previous.dynamicIndex(name);
  } catch (error) {
    if (isDamaged(error)) return undefined;
    throw error;
  }
}
