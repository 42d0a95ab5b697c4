/**
 * Files and chunks of snapshots as they are stored, for clients. For store threads; whoever calls
 * has the snapshot locked.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { DigestTable, type DigestTableParts } from "#src/bytes/digest_table.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { OsError, StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isMissing } from "#src/io/files/files.ts";
import { Transferred } from "#src/threads/call_pool.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { FixedIndex } from "../format/fixed_index.ts";
import { findManifestFile } from "../format/manifest.ts";
import { isIndexName, scanIndex } from "../reading/index_scan.ts";
import { INDEX_FILE_SIZE_MAX } from "../snapshots/listed_files.ts";
import { loadManifest } from "../snapshots/manifest_file.ts";
import { writableParts } from "../snapshots/open_store.ts";
import { requireSnapshot } from "../snapshots/store_places.ts";
import { FIXED_CHUNK_SIZE } from "./index_writers.ts";
import { Refusal } from "./refusal.ts";
import type { Held, StoreInThread } from "./store_in_thread.ts";

/** A snapshot that is read from, locked against removal. */
export class ReadSnapshot implements Held {
  readonly #lock: Held;

  /**
   * Locks it.
   *
   * @throws {Refusal} when there is no such snapshot, or it is being written or removed
   */
  constructor({ open }: StoreInThread, id: SnapshotId) {
    try {
      requireSnapshot(open, id);
      this.#lock = writableParts(open).locks.lockSnapshot(id, "shared");
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      const name = formatSnapshot(id);
      if (error.code === "not-found") throw new Refusal(400, `snapshot ${name} does not exist.`);
      throw new Refusal(
        400,
        `unable to acquire lock on snapshot ${name} - it is being written or removed`,
      );
    }
  }

  release(): void {
    this.#lock.release();
  }
}

/**
 * The chunks that an index names, with their sizes.
 *
 * @param isBase whether a new snapshot will rely on it: then it must be what its manifest says
 * @throws {Refusal} when there is none, or it is damaged
 */
export function indexChunks(
  store: StoreInThread,
  snapshot: SnapshotId,
  name: string,
  isBase: boolean,
): Transferred<DigestTableParts> {
  const { files } = store.open.storage;
  const path = files.pathOf(`${snapshotDirectory(snapshot)}/${name}`);
  const table = new DigestTable(Infinity);
  const { checksum } = scanIndex(openFile(store, snapshot, name), path, (bytes, offset, size) => {
    table.set(bytes, offset, size);
  });
  if (isBase && findManifestFile(loadManifest(store.open, snapshot), name)?.csum !== checksum) {
    throw new Refusal(400, `index "${name}" is not that of the manifest`);
  }
  const parts = table.take();
  return new Transferred(parts, [parts.words.buffer, parts.values.buffer]);
}

/** A part of a file. */
export interface FilePart {
  /** Fewer than were asked for at the end of the file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole file. */
  readonly fileSize: number;
}

/** Reads a part of a file. @throws {Refusal} when there is none @throws {OsError} */
export function readFilePart(
  store: StoreInThread,
  snapshot: SnapshotId,
  name: string,
  offset: number,
  sizeMax: number,
): Transferred<FilePart> {
  const source = openFile(store, snapshot, name);
  try {
    const size = Math.max(Math.min(sizeMax, source.size - offset), 0);
    const buffer = store.open.codecs.allocate(size);
    const count = source.readAt(buffer, 0, size, offset);
    const bytes = buffer.bytes.subarray(0, count);
    return new Transferred({ bytes, fileSize: source.size }, [bytes.buffer]);
  } finally {
    source.close();
  }
}

function openFile({ open }: StoreInThread, snapshot: SnapshotId, name: string): ByteSource {
  const { files } = open.storage;
  const file = `${snapshotDirectory(snapshot)}/${name}`;
  try {
    return files.open(file);
  } catch (error) {
    if (!(error instanceof OsError) || !isMissing(error)) throw error;
    const path = files.pathOf(file);
    if (!isIndexName(name)) throw new Refusal(404, `open file "${path}" failed - not found`);
    const kind = name.endsWith(".fidx") ? "fixed" : "dynamic";
    throw new Refusal(
      400,
      `Unable to open ${kind} index "${path}" - No such file or directory (os error 2)`,
    );
  }
}

/** The stored bytes of a chunk. @throws {Refusal} when there is none @throws {OsError} */
export function readStoredChunk(
  { open }: StoreInThread,
  digest: ChunkDigest,
): Transferred<Uint8Array<ArrayBuffer>> {
  const { chunks } = open.storage;
  const size = chunks.read(digest);
  if (size <= 0) {
    const problem = size < 0 ? "No such file or directory (os error 2)" : "it is empty";
    throw new Refusal(400, `reading file "${chunks.pathOf(digest)}" failed: ${problem}`);
  }
  const bytes = chunks.buffer.bytes.slice(0, size);
  return new Transferred(bytes, [bytes.buffer]);
}

/**
 * A fixed index of the base, for a new one that begins with it.
 *
 * @throws {Refusal} when there is none, or it is not the one that the client means
 */
export function reusableIndex(
  store: StoreInThread,
  snapshot: SnapshotId,
  name: string,
  size: number,
  csum: string,
): Transferred<Uint8Array<ArrayBuffer>> {
  const { files } = store.open.storage;
  openFile(store, snapshot, name).close();
  const bytes = files.read(`${snapshotDirectory(snapshot)}/${name}`, INDEX_FILE_SIZE_MAX);
  const index = FixedIndex.parse(bytes);
  const checksum = index.computeChecksum(sha256Of);
  if (checksum !== csum) {
    throw new Refusal(
      400,
      `cannot reuse index - got unexpected checksum (${checksum} != ${csum})`,
    );
  }
  if (index.size !== size || index.chunkSize !== FIXED_CHUNK_SIZE) {
    throw new Refusal(400, `cannot reuse index - sizes differ (${index.size} != ${size})`);
  }
  return new Transferred(bytes, [bytes.buffer]);
}
