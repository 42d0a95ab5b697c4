/**
 * A datastore directory as a whole: its namespaces, groups and snapshots.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { StateError, UsageError } from "#src/errors.ts";
import { requireFfi } from "#src/io/ffi_permission.ts";
import { CHUNKS_DIRECTORY } from "./storage/directory/directory_chunks.ts";
import { DirectoryStorage } from "./storage/directory/directory_storage.ts";
import { createDatastore } from "./storage/directory/datastore_creation.ts";
import type { CreateOptions, DatastoreOptions } from "./storage/directory/directory_options.ts";
import type {
  GroupInfo,
  KeptSnapshot,
  NewSnapshotOptions,
  OpenSnapshotOptions,
  SnapshotInfo,
} from "./snapshot_types.ts";
import { type Manifest, withNotes } from "./format/manifest.ts";
import {
  groupDirectory,
  type GroupId,
  type Namespace,
  ROOT_NAMESPACE,
  snapshotDirectory,
  type SnapshotId,
} from "./format/snapshot_path.ts";
import { storeClientLog } from "./snapshots/client_log.ts";
import { LocalSnapshotReader } from "./snapshots/local_snapshot_reader.ts";
import { findLocalServer, foreignBackend } from "./storage/directory/local_server.ts";
import { loadManifest, updateManifest } from "./snapshots/manifest_file.ts";
import { createNamespace, removeNamespace } from "./snapshots/namespaces.ts";
import { cacheError, signOfCache } from "./snapshots/object_storage_cache.ts";
import type { StorageLocks, WriterLock } from "./storage/locks.ts";
import type { Storage, StorageSpace } from "./storage/storage.ts";
import { type OpenStore, openStore, writableParts } from "./snapshots/open_store.ts";
import { type PruneDecision, type RetentionOptions, selectForPruning } from "./snapshots/prune.ts";
import { forgetGroup, forgetSnapshot } from "./snapshots/snapshot_removal.ts";
import {
  checkOwner,
  plannedSnapshot,
  startCopiedSnapshot,
  startSnapshot,
  writeOwner,
} from "./snapshots/snapshot_start.ts";
import {
  checkNotes,
  describeGroup,
  describeSnapshot,
  isFinished,
  isProtected,
  listGroups,
  listNamespaces,
  listSnapshots,
  NOTES_FILE,
  PROTECTED_FILE,
} from "./snapshots/store_listing.ts";
import { NoDatastoreError } from "./state_errors.ts";
import type { SnapshotWriter } from "./ports.ts";
import type { SnapshotDestination } from "./snapshots/snapshot_destination.ts";
import type { CopyableStore, StoredSnapshot } from "./sync/ports.ts";
import { requireGroup, requireSnapshot } from "./snapshots/store_places.ts";

const LOCK_TIMEOUT_MS = 10_000;

/** An open datastore. */
export class Datastore implements CopyableStore {
  /** Absolute path of the directory with `.chunks`. */
  readonly path: string;
  /** See {@link SnapshotStore.localPath}. */
  readonly localPath: string | undefined;
  /** `read` neither makes files nor, without FFI, takes locks. */
  readonly access: "read" | "write";
  /** What whoever writes should know of locks that could not be taken. */
  readonly warnings: readonly string[];
  readonly #store: OpenStore;
  #signOfCache: string | undefined;
  #isCacheKnown = false;

  private constructor(
    store: OpenStore,
    localPath: string | undefined,
    warnings: readonly string[],
    signOfCache: string | undefined,
  ) {
    this.#store = store;
    this.localPath = localPath;
    this.#signOfCache = signOfCache;
    this.path = store.storage.files.pathOf("");
    this.access = store.isWritable ? "write" : "read";
    this.warnings = warnings;
  }

  /** What messages call it: its path. */
  get name(): string {
    return this.path;
  }

  /** What is below the snapshots. */
  get storage(): Storage {
    return this.#store.storage;
  }

  /**
   * Opens a datastore.
   *
   * @throws {StateError} `not-found` when the directory is none, or a server's locks are asked for
   *   that are not there; `maintenance` when its server allows no access at the moment, or no
   *   writing; `object-storage` when it is to be written to, but is only a server's cache
   * @throws {UsageError} when it is to be written to, but FFI is not allowed, or it is not what its
   *   server has of that name
   * @throws {OsError}
   */
  static open(path: string, options: DatastoreOptions = {}): Datastore {
    const isWritable = options.access === "write";
    if (isWritable) requireFfi(`write to datastore "${path}"`);
    if (!isDirectory(`${path}/${CHUNKS_DIRECTORY}`)) {
      throw new NoDatastoreError(path);
    }
    const storePath = hostFiles.realPath(path);
    const { uid = 0, gid = 0 } = hostFiles.status(`${storePath}/${CHUNKS_DIRECTORY}`) ?? {};
    const owner = { uid, gid };
    const syncLevel = options.syncLevel ?? "filesystem";
    const server = findLocalServer(storePath, options);
    const backend = foreignBackend(server);
    const sign = backend === undefined ? undefined : `its server keeps the chunks in "${backend}"`;
    if (sign !== undefined && isWritable) throw cacheError(storePath, sign);
    const { lockTimeoutMs: timeoutMs = LOCK_TIMEOUT_MS, lockMemory: memory } = options;
    const storage = DirectoryStorage.open({
      kind: "directory",
      path: storePath,
      writing: isWritable ? { owner, syncLevel } : undefined,
      locking: { owner, serverPath: server.locksPath, timeoutMs, memory },
    });
    return new Datastore(openStore(storage, isWritable), storePath, server.warnings, sign);
  }

  /**
   * The datastore in a storage of any kind, which is closed with it.
   *
   * @throws {UsageError} when it is to be written to, but FFI is not allowed
   */
  static over(storage: Storage, access: "read" | "write" = "read"): Datastore {
    const isWritable = access === "write";
    if (isWritable) requireFfi("write to a datastore");
    return new Datastore(openStore(storage, isWritable), undefined, [], undefined);
  }

  /**
   * Makes a datastore in a directory that is new or empty; see {@link createDatastore}.
   *
   * @throws {StateError} `exists` when there is something already
   * @throws {OsError}
   */
  static create(path: string, options: CreateOptions = {}): void {
    createDatastore(path, options);
  }

  /**
   * Checks that the directory is a whole datastore, for what is decided by the chunks in it.
   *
   * @throws {StateError} `object-storage` when it is the cache of one whose chunks are in object
   *   storage
   */
  requireOwnChunks(): void {
    if (!this.#isCacheKnown) this.#signOfCache ??= signOfCache(this.#store);
    this.#isCacheKnown = true;
    if (this.#signOfCache !== undefined) throw cacheError(this.path, this.#signOfCache);
  }

  /**
   * The lock that writers share and garbage collection has alone. @throws {UsageError} when open
   * for reading only
   */
  get processLock(): WriterLock {
    return writableParts(this.#store).writerLock;
  }

  /** Locks on groups and snapshots; undefined without FFI. */
  get locks(): StorageLocks | undefined {
    return this.#store.storage.locks;
  }

  /** See {@link SnapshotStore.namespaces}. */
  namespaces(below: Namespace = ROOT_NAMESPACE): Namespace[] {
    return listNamespaces(this.#store, below);
  }

  /** See {@link SnapshotStore.createNamespace}. */
  createNamespace(namespace: Namespace): void {
    createNamespace(this.#store, namespace);
  }

  /** See {@link SnapshotStore.removeNamespace}. */
  removeNamespace(namespace: Namespace, isRecursive = false): void {
    removeNamespace(this.#store, namespace, isRecursive);
  }

  /** See {@link SnapshotStore.groups}. */
  groups(namespace: Namespace): GroupId[] {
    return listGroups(this.#store, namespace);
  }

  /** See {@link SnapshotStore.groupInfo}. */
  groupInfo(group: GroupId): GroupInfo {
    return describeGroup(this.#store, group);
  }

  /** See {@link SnapshotStore.setOwner}. */
  setOwner(group: GroupId, owner: string): void {
    checkOwner(owner);
    requireGroup(this.#store, group);
    const lock = writableParts(this.#store).locks.lockGroup(group);
    try {
      writeOwner(this.#store, group, owner);
    } finally {
      lock.release();
    }
  }

  /** See {@link SnapshotStore.setGroupNotes}. */
  setGroupNotes(group: GroupId, notes: string): void {
    requireGroup(this.#store, group);
    checkNotes(notes);
    const name = `${groupDirectory(group)}/${NOTES_FILE}`;
    const { files } = writableParts(this.#store);
    if (notes === "") files.remove(name);
    else files.replace(name, new TextEncoder().encode(notes));
  }

  /** See {@link SnapshotStore.snapshots}. */
  snapshots(group: GroupId): SnapshotId[] {
    requireGroup(this.#store, group);
    return listSnapshots(this.#store, group);
  }

  /** See {@link SnapshotStore.snapshotInfo}. */
  snapshotInfo(snapshot: SnapshotId): SnapshotInfo {
    return describeSnapshot(this.#store, snapshot);
  }

  /** See {@link SnapshotStore.manifest}. */
  manifest(snapshot: SnapshotId): Manifest {
    return loadManifest(this.#store, snapshot);
  }

  /** Changes what is not signed of a manifest. @throws {StateError} `not-found`, or `locked` */
  changeManifest(snapshot: SnapshotId, change: (manifest: Manifest) => Manifest): void {
    updateManifest(this.#store, snapshot, change);
  }

  /** See {@link SnapshotStore.openSnapshot}. */
  openSnapshot(snapshot: SnapshotId, options: OpenSnapshotOptions = {}): LocalSnapshotReader {
    return LocalSnapshotReader.open(this.#store, snapshot, options);
  }

  /** See {@link SnapshotStore.startSnapshot}. */
  startSnapshot(options: NewSnapshotOptions): SnapshotWriter {
    return startSnapshot(this.#store, options);
  }

  /** See {@link CopyableStore.snapshotInfos}. Each is looked at when it is asked for. */
  *snapshotInfos(group: GroupId): Iterable<SnapshotInfo> {
    for (const id of this.snapshots(group).reverse()) {
      const info = unlessGone(() => this.snapshotInfo(id));
      if (info !== undefined) yield info;
    }
  }

  /** See {@link CopyableStore.openStored}. */
  openStored(id: SnapshotId): StoredSnapshot {
    const { storage } = this.#store;
    const lock = storage.locks?.lockSnapshot(id, "shared");
    return { id, storage, [Symbol.dispose]: () => lock?.release() };
  }

  /** See {@link CopyableStore.startCopy}. */
  startCopy(snapshot: SnapshotId): SnapshotDestination {
    return startCopiedSnapshot(this.#store, snapshot);
  }

  /** See {@link SnapshotStore.plannedSnapshot}. */
  plannedSnapshot(group: GroupId, time?: number): SnapshotId {
    return plannedSnapshot(this.#store, group, time);
  }

  /** See {@link SnapshotStore.setNotes}. */
  setNotes(snapshot: SnapshotId, notes: string): void {
    checkNotes(notes);
    updateManifest(this.#store, snapshot, (manifest) => withNotes(manifest, notes));
  }

  /** See {@link SnapshotStore.setProtected}. */
  setProtected(snapshot: SnapshotId, isProtected: boolean): void {
    requireSnapshot(this.#store, snapshot);
    const { files, locks } = writableParts(this.#store);
    const lock = locks.lockSnapshot(snapshot, "exclusive");
    try {
      const name = `${snapshotDirectory(snapshot)}/${PROTECTED_FILE}`;
      if (!isProtected) files.remove(name);
      else if (files.status(name) === undefined) files.replace(name, new Uint8Array(0));
    } finally {
      lock.release();
    }
  }

  /** See {@link SnapshotStore.addClientLog}. */
  addClientLog(
    snapshot: SnapshotId,
    content: Uint8Array<ArrayBuffer>,
    options: OpenSnapshotOptions = {},
  ): void {
    const { codec } = this.#store;
    const blob = codec.encodeBytes(content, { compress: true, crypt: options.crypt });
    storeClientLog(this.#store, snapshot, blob);
  }

  /** See {@link SnapshotStore.forget}. */
  forget(snapshot: SnapshotId): void {
    forgetSnapshot(this.#store, snapshot);
  }

  /** See {@link SnapshotStore.forgetGroup}. */
  forgetGroup(group: GroupId): KeptSnapshot[] {
    return forgetGroup(this.#store, group);
  }

  /** See {@link SnapshotStore.planPrune}. */
  planPrune(group: GroupId, keep: RetentionOptions): PruneDecision<SnapshotId>[] {
    this.requireOwnChunks();
    const snapshots = this.snapshots(group).map((id) => ({
      id,
      time: id.time,
      isFinished: isFinished(this.#store, id),
      isProtected: isProtected(this.#store, id),
    }));
    return selectForPruning(snapshots, keep);
  }

  /** See {@link SnapshotStore.status}. */
  status(): StorageSpace {
    const space = this.#store.storage.space();
    if (space !== undefined) return space;
    throw new UsageError(`Cannot tell the space of "${this.path}": its storage does not know it`);
  }

  /** See {@link SnapshotStore.close}. */
  close(): void {
    this.#store.storage.close();
  }
}

/** Undefined for what somebody has removed meanwhile. */
function unlessGone<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof StateError && error.code === "not-found") return undefined;
    throw error;
  }
}
