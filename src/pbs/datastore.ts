/**
 * A datastore directory as a whole: its namespaces, groups and snapshots.
 *
 * @module
 */

import type { ChunkStore } from "./chunk_store.ts";
import type {
  CreateOptions,
  DatastoreOptions,
  DatastoreStatus,
  GroupInfo,
  NewSnapshotOptions,
  OpenSnapshotOptions,
  SnapshotInfo,
} from "./datastore_types.ts";
import type { GroupId, Namespace, SnapshotId } from "./format/snapshot_path.ts";
import type { LocalSnapshotReader } from "./local_snapshot_reader.ts";
import type { LocalSnapshotWriter } from "./local_snapshot_writer.ts";
import type { ProcessLock } from "./process_lock.ts";
import type { PruneDecision, RetentionOptions } from "./prune.ts";

const notYet = (): never => {
  throw new Error("not written yet");
};

/** An open datastore. */
export class Datastore {
  private constructor(
    readonly path: string,
    readonly access: "read" | "write",
    readonly chunks: ChunkStore,
    /** The lock that writers share and garbage collection has alone. */
    readonly processLock: ProcessLock,
  ) {}

  /**
   * Opens a datastore.
   *
   * @throws {StateError} `not-found` when the directory is none
   * @throws {OsError}
   */
  static open(_path: string, _options: DatastoreOptions = {}): Datastore {
    return notYet();
  }

  /**
   * Makes a datastore in a directory that is new or empty.
   *
   * @throws {StateError} `busy` when there is something already
   * @throws {OsError}
   */
  static create(_path: string, _options: CreateOptions = {}): void {
    notYet();
  }

  /** Namespaces at and below `below`, parents first. Default: all. */
  namespaces(_below?: Namespace): Namespace[] {
    return notYet();
  }

  /** @throws {StateError} `busy` when it exists, `not-found` when its parent does not */
  createNamespace(_namespace: Namespace): void {
    notYet();
  }

  /** Removes an empty namespace; with `isRecursive` its groups too. @throws {StateError} `busy` when something is left */
  removeNamespace(_namespace: Namespace, _isRecursive = false): void {
    notYet();
  }

  /** Groups of a namespace, by type and id. */
  groups(_namespace: Namespace): GroupId[] {
    return notYet();
  }

  /** @throws {StateError} `not-found` */
  groupInfo(_group: GroupId): GroupInfo {
    return notYet();
  }

  /** Changes the owner of a group. @throws {StateError} `not-found` */
  setOwner(_group: GroupId, _owner: string): void {
    notYet();
  }

  /** Changes the notes of a group. @throws {StateError} `not-found` */
  setGroupNotes(_group: GroupId, _notes: string): void {
    notYet();
  }

  /** Snapshots of a group, oldest first; unfinished ones included. */
  snapshots(_group: GroupId): SnapshotId[] {
    return notYet();
  }

  /** @throws {StateError} `not-found` */
  snapshotInfo(_snapshot: SnapshotId): SnapshotInfo {
    return notYet();
  }

  /** Opens a finished snapshot. @throws {StateError | AuthError | IntegrityError | FormatError | OsError} */
  openSnapshot(_snapshot: SnapshotId, _options: OpenSnapshotOptions = {}): LocalSnapshotReader {
    return notYet();
  }

  /** Starts a snapshot. @throws {StateError} `locked`, or `busy` when the time is taken or not after the last one */
  startSnapshot(_options: NewSnapshotOptions): LocalSnapshotWriter {
    return notYet();
  }

  /** Changes the notes of a snapshot. */
  setNotes(_snapshot: SnapshotId, _notes: string): void {
    notYet();
  }

  /** Protects a snapshot from removal, or ends that. */
  setProtected(_snapshot: SnapshotId, _isProtected: boolean): void {
    notYet();
  }

  /** Stores the client's log of a finished snapshot. @throws {StateError} `busy` when there is one */
  addClientLog(
    _snapshot: SnapshotId,
    _content: Uint8Array<ArrayBuffer>,
    _options: OpenSnapshotOptions = {},
  ): void {
    notYet();
  }

  /** Removes a snapshot, and its group when that is empty then. @throws {StateError} `busy` when it is protected */
  forget(_snapshot: SnapshotId): void {
    notYet();
  }

  /** Removes a group. Protected snapshots stay, and with them the group. @returns the snapshots that stayed */
  forgetGroup(_group: GroupId): SnapshotId[] {
    return notYet();
  }

  /** What pruning a group would remove and why; newest first. */
  planPrune(_group: GroupId, _keep: RetentionOptions): PruneDecision<SnapshotId>[] {
    return notYet();
  }

  status(): DatastoreStatus {
    return notYet();
  }

  close(): void {}
}
