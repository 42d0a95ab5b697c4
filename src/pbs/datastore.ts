/**
 * A datastore directory as a whole: its namespaces, groups and snapshots.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { builtInCodecs, nativeCodecs } from "#src/codecs/codecs.ts";
import { StateError, UsageError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { BlobCodec } from "./crypt/blob_codec.ts";
import { CHUNKS_DIRECTORY } from "./storage/directory/directory_chunks.ts";
import { DirectoryStorage } from "./storage/directory/directory_storage.ts";
import { createDatastore } from "./storage/directory/datastore_creation.ts";
import type {
  CreateOptions,
  DatastoreOptions,
  GroupInfo,
  NewSnapshotOptions,
  OpenSnapshotOptions,
  SnapshotInfo,
} from "./datastore_types.ts";
import { CLIENT_LOG_NAME, type Manifest, withNotes } from "./format/manifest.ts";
import {
  formatSnapshot,
  groupDirectory,
  type GroupId,
  type Namespace,
  ROOT_NAMESPACE,
  snapshotDirectory,
  type SnapshotId,
} from "./format/snapshot_path.ts";
import { LocalSnapshotReader } from "./snapshots/local_snapshot_reader.ts";
import type { LocalSnapshotWriter } from "./snapshots/local_snapshot_writer.ts";
import { findLocalServer, foreignBackend } from "./storage/directory/local_server.ts";
import { loadManifest, updateManifest } from "./snapshots/manifest_file.ts";
import { createNamespace, removeNamespace } from "./snapshots/namespaces.ts";
import { cacheError, signOfCache } from "./snapshots/object_storage_cache.ts";
import type { StorageLocks, WriterLock } from "./storage/locks.ts";
import type { Storage, StorageSpace } from "./storage/storage.ts";
import { type OpenStore, writableParts } from "./snapshots/open_store.ts";
import { type PruneDecision, type RetentionOptions, selectForPruning } from "./snapshots/prune.ts";
import { forgetGroup, forgetSnapshot, type KeptSnapshot } from "./snapshots/snapshot_removal.ts";
import {
  checkOwner,
  plannedSnapshot,
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
import { requireGroup, requireSnapshot } from "./snapshots/store_places.ts";

const LOCK_TIMEOUT_MS = 10_000;

/** An open datastore. */
export class Datastore {
  /** Absolute path of the directory with `.chunks`. */
  readonly path: string;
  /** `read` neither makes files nor, without FFI, takes locks. */
  readonly access: "read" | "write";
  /** What whoever writes should know of locks that could not be taken. */
  readonly warnings: readonly string[];
  readonly #store: OpenStore;
  #signOfCache: string | undefined;
  #isCacheKnown = false;

  private constructor(
    store: OpenStore,
    warnings: readonly string[],
    signOfCache: string | undefined,
  ) {
    this.#store = store;
    this.#signOfCache = signOfCache;
    this.path = store.storage.files.pathOf("");
    this.access = store.isWritable ? "write" : "read";
    this.warnings = warnings;
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
    if (isWritable && !mayUseFfi) {
      throw new UsageError(`Cannot write to datastore "${path}" without --allow-ffi`);
    }
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
    const { lockTimeoutMs: timeoutMs = LOCK_TIMEOUT_MS } = options;
    const storage = DirectoryStorage.open({
      kind: "directory",
      path: storePath,
      writing: isWritable ? { owner, syncLevel } : undefined,
      locking: { owner, serverPath: server.locksPath, timeoutMs },
    });
    return new Datastore(openStore(storage, isWritable), server.warnings, sign);
  }

  /**
   * The datastore in a storage of any kind, which is closed with it.
   *
   * @throws {UsageError} when it is to be written to, but FFI is not allowed
   */
  static over(storage: Storage, access: "read" | "write" = "read"): Datastore {
    const isWritable = access === "write";
    if (isWritable && !mayUseFfi) {
      throw new UsageError("Cannot write to a datastore without --allow-ffi");
    }
    return new Datastore(openStore(storage, isWritable), [], undefined);
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

  /** Namespaces at and below `below`, parents first. @throws {StateError} `not-found` */
  namespaces(below: Namespace = ROOT_NAMESPACE): Namespace[] {
    return listNamespaces(this.#store, below);
  }

  /** Makes an empty one. @throws {StateError} `exists`, or `not-found` when its parent does not */
  createNamespace(namespace: Namespace): void {
    createNamespace(this.#store, namespace);
  }

  /**
   * Removes an empty namespace; with `isRecursive` all that is in it too. @throws {StateError}
   * `busy` when something is left
   */
  removeNamespace(namespace: Namespace, isRecursive = false): void {
    removeNamespace(this.#store, namespace, isRecursive);
  }

  /** Groups of a namespace, by type and id. @throws {StateError} `not-found` */
  groups(namespace: Namespace): GroupId[] {
    return listGroups(this.#store, namespace);
  }

  /** A group with its snapshots and notes. @throws {StateError} `not-found` */
  groupInfo(group: GroupId): GroupInfo {
    return describeGroup(this.#store, group);
  }

  /**
   * Changes the owner of a group. @throws {StateError} `not-found`, or `locked` @throws
   * {UsageError} when it cannot be one
   */
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

  /**
   * Changes the notes of a group; empty ones are removed. @throws {StateError} `not-found` @throws
   * {LimitError}
   */
  setGroupNotes(group: GroupId, notes: string): void {
    requireGroup(this.#store, group);
    checkNotes(notes);
    const name = `${groupDirectory(group)}/${NOTES_FILE}`;
    const { files } = writableParts(this.#store);
    if (notes === "") files.remove(name);
    else files.replace(name, new TextEncoder().encode(notes));
  }

  /**
   * Snapshots of a group, oldest first; unfinished ones included. @throws {StateError} `not-found`
   */
  snapshots(group: GroupId): SnapshotId[] {
    requireGroup(this.#store, group);
    return listSnapshots(this.#store, group);
  }

  /** A snapshot as listed; what is wrong in it is a field. @throws {StateError} `not-found` */
  snapshotInfo(snapshot: SnapshotId): SnapshotInfo {
    return describeSnapshot(this.#store, snapshot);
  }

  /**
   * The manifest of a finished snapshot, its signature not checked. @throws {StateError}
   * `not-found`
   */
  manifest(snapshot: SnapshotId): Manifest {
    return loadManifest(this.#store, snapshot);
  }

  /** Changes what is not signed of a manifest. @throws {StateError} `not-found`, or `locked` */
  changeManifest(snapshot: SnapshotId, change: (manifest: Manifest) => Manifest): void {
    updateManifest(this.#store, snapshot, change);
  }

  /**
   * Opens a finished snapshot.
   *
   * @throws {StateError} `not-found`, or `locked` while it is being removed
   * @throws {AuthError} `missing-key` or `wrong-key`
   * @throws {IntegrityError | FormatError | OsError}
   */
  openSnapshot(snapshot: SnapshotId, options: OpenSnapshotOptions = {}): LocalSnapshotReader {
    return LocalSnapshotReader.open(this.#store, snapshot, options);
  }

  /**
   * Starts a snapshot. @throws {StateError} `locked`, `exists`, `not-found` or `future-snapshot`;
   * see {@link startSnapshot}
   */
  startSnapshot(options: NewSnapshotOptions): LocalSnapshotWriter {
    return startSnapshot(this.#store, options);
  }

  /** The snapshot that would be started now; see {@link plannedSnapshot}. @throws {StateError} */
  plannedSnapshot(group: GroupId, time?: number): SnapshotId {
    return plannedSnapshot(this.#store, group, time);
  }

  /**
   * Changes the notes of a snapshot; empty ones are removed. @throws {StateError} `not-found`, or
   * `locked` @throws {LimitError}
   */
  setNotes(snapshot: SnapshotId, notes: string): void {
    checkNotes(notes);
    updateManifest(this.#store, snapshot, (manifest) => withNotes(manifest, notes));
  }

  /**
   * Protects a snapshot from removal, or ends that. @throws {StateError} `not-found`, or `locked`
   */
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

  /**
   * Stores the client's log of a finished snapshot; encrypted where a key is given.
   *
   * @throws {StateError} `exists` when there is one, `not-found`, or `locked`
   */
  addClientLog(
    snapshot: SnapshotId,
    content: Uint8Array<ArrayBuffer>,
    options: OpenSnapshotOptions = {},
  ): void {
    requireSnapshot(this.#store, snapshot);
    const { files, locks } = writableParts(this.#store);
    const lock = locks.lockSnapshot(snapshot, "shared");
    try {
      if (this.snapshotInfo(snapshot).files.some((file) => file.name === CLIENT_LOG_NAME)) {
        throw new StateError("exists", `Cannot add log to ${formatSnapshot(snapshot)}: it has one`);
      }
      const { codec } = this.#store;
      const blob = codec.encodeBytes(content, { compress: true, crypt: options.crypt });
      files.replace(`${snapshotDirectory(snapshot)}/${CLIENT_LOG_NAME}`, blob);
    } finally {
      lock.release();
    }
  }

  /**
   * Removes a snapshot, and its group when that is empty then.
   *
   * @throws {StateError} `not-found`, `locked` while it is read, written or base of a backup, or
   *   `protected`
   * @throws {OsError}
   */
  forget(snapshot: SnapshotId): void {
    forgetSnapshot(this.#store, snapshot);
  }

  /**
   * Removes a group. Protected snapshots and those in use stay, and with them the group.
   *
   * @returns the snapshots that stayed
   * @throws {StateError} `not-found`, or `locked` when the group itself is in use
   * @throws {OsError}
   */
  forgetGroup(group: GroupId): KeptSnapshot[] {
    return forgetGroup(this.#store, group);
  }

  /**
   * What pruning a group would remove and why; newest first. @throws {StateError} `not-found`,
   * `object-storage` @throws {UsageError} for bad counts
   */
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

  /**
   * Space of what it is kept in. @throws {UsageError} where that cannot be known @throws {OsError}
   */
  status(): StorageSpace {
    const space = this.#store.storage.space();
    if (space !== undefined) return space;
    throw new UsageError(`Cannot tell the space of "${this.path}": its storage does not know it`);
  }

  /** Snapshots that are open stay readable. */
  close(): void {
    this.#store.storage.close();
  }
}

function openStore(storage: Storage, isWritable: boolean): OpenStore {
  const codecs = mayUseFfi ? nativeCodecs() : builtInCodecs();
  return { storage, codecs, codec: new BlobCodec(codecs), isWritable };
}
