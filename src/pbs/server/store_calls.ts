/**
 * What the server's threads can be asked for: a line for each method. It gets the store first, then
 * plain values, and gives plain values, or `Transferred` with buffers that are to be moved.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { Transferred } from "#src/threads/call_pool.ts";
import type { UploadStatistics } from "../format/manifest.ts";
import type { GroupId, Namespace, SnapshotId } from "../format/snapshot_path.ts";
import { collectGarbage, type GarbageCollectionOptions } from "../gc/garbage_collection.ts";
import type { WriterKind } from "./index_writers.ts";
import { REST_CALLS } from "./rest/rest_calls.ts";
import { TASK_CALLS } from "./rest/task_calls.ts";
import { heldOf, type StoreInThread } from "./store_in_thread.ts";
import { type BackupStart, StoredBackup } from "./stored_backup.ts";
import {
  indexChunks,
  readFilePart,
  ReadSnapshot,
  readStoredChunk,
  reusableIndex,
} from "./stored_files.ts";
import { storeUploadedChunk } from "./uploaded_chunk.ts";

type Store = StoreInThread;
type Bytes = Uint8Array<ArrayBuffer>;
type CollectOptions = Pick<GarbageCollectionOptions, "keepMinutes" | "checkAccessTimes">;

/** See the head of the module. A `handle` is what the caller calls something that is held. */
export const STORE_CALLS = {
  ...REST_CALLS,
  ...TASK_CALLS,
  namespaces: ({ datastore }: Store, below: Namespace) => datastore.namespaces(below),
  groups: ({ datastore }: Store, ns: Namespace) => datastore.groups(ns),
  snapshots: ({ datastore }: Store, group: GroupId) => datastore.snapshots(group),
  forget: ({ datastore }: Store, snapshot: SnapshotId) => datastore.forget(snapshot),
  /** To be called alone: it takes minutes. */
  collectGarbage: ({ datastore }: Store, options: CollectOptions) =>
    collectGarbage(datastore, options),

  startBackup: (store: Store, handle: number, request: BackupStart) => {
    const backup = StoredBackup.start(store.open, request);
    store.held.set(handle, backup);
    return backup.base?.id;
  },
  writeIndex: (store: Store, handle: number, kind: WriterKind, name: string, ...file: IndexFile) =>
    heldOf(store, handle, StoredBackup).writeIndex(kind, name, ...file),
  writeBlob: (store: Store, handle: number, name: string, bytes: Bytes) =>
    heldOf(store, handle, StoredBackup).writeBlob(name, bytes),
  finishBackup: (store: Store, handle: number, uploads: UploadStatistics) =>
    heldOf(store, handle, StoredBackup).finish(uploads),
  storeChunk: (store: Store, digest: ChunkDigest, size: number, bytes: Bytes) =>
    new Transferred({ ...storeUploadedChunk(store, digest, size, bytes), bytes }, [bytes.buffer]),

  openSnapshot: (store: Store, handle: number, snapshot: SnapshotId) => {
    store.held.set(handle, new ReadSnapshot(store, snapshot));
  },
  indexChunks,
  reusableIndex,
  readFilePart,
  readStoredChunk,
  release: ({ held }: Store, handle: number) => {
    held.get(handle)?.release();
    held.delete(handle);
  },
} as const;

/** The bytes of an index, but for its header, and the checksum that it must have. */
type IndexFile = [bytes: Bytes, csum: string];

/** The type of {@link STORE_CALLS}, for those who only call. */
export type StoreCalls = typeof STORE_CALLS;
