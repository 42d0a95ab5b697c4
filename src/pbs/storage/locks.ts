/**
 * What keeps processes apart that use one storage.
 *
 * @module
 */

import type { GroupId, SnapshotId } from "../format/snapshot_path.ts";

/** A lock is shared by readers, or held alone. */
export type LockKind = "shared" | "exclusive";

/** Held locks of one object. */
export interface ObjectLock {
  /** Gives them back; the second time does nothing. */
  release(): void;
}

/** Locks on groups, snapshots and manifests. */
export interface StorageLocks {
  /**
   * Locks a group, for a backup or its removal.
   *
   * @throws {StateError} `locked`, or `not-found` when there is no such group
   * @throws {OsError}
   */
  lockGroup(group: GroupId): ObjectLock;
  /**
   * Locks a snapshot: alone for writing, removal and protection, shared for reading and as base of
   * a backup.
   *
   * @throws {StateError} `locked`, or `not-found` when there is no such snapshot
   * @throws {OsError}
   */
  lockSnapshot(snapshot: SnapshotId, kind: LockKind): ObjectLock;
  /**
   * Locks a snapshot's manifest, for a change.
   *
   * @throws {StateError} `locked`, or `not-found` when there is no manifest
   * @throws {OsError}
   */
  lockManifest(snapshot: SnapshotId): ObjectLock;
  /** Removes what is left of the locks of a group that is gone. */
  forgetGroup(group: GroupId): void;
  /** Removes what is left of the locks of a snapshot that is gone. */
  forgetSnapshot(snapshot: SnapshotId): void;
}

/** A held {@link WriterLock}. */
export interface HeldLock {
  /** Unix seconds at which it was taken. */
  readonly startTime: number;
  /** Gives it back; the second time does nothing. */
  release(): void;
}

/**
 * The lock that writers share and garbage collection has alone. Within a process both may coexist:
 * then garbage collection spares what is younger than {@link oldestSharedStart}.
 */
export interface WriterLock {
  /**
   * For writers. @throws {StateError} `locked` when another process collects garbage for too long
   * @throws {OsError}
   */
  acquireShared(): HeldLock;
  /**
   * For garbage collection.
   *
   * @throws {StateError} `locked` when another process writes or collects for too long, or this
   *   process collects
   * @throws {OsError}
   */
  acquireExclusive(): HeldLock;
  /** Whether this process collects garbage at the moment. */
  readonly isHeldExclusively: boolean;
  /**
   * When the oldest of this process's shared holders took the lock, in unix seconds; undefined
   * without any.
   */
  readonly oldestSharedStart: number | undefined;
}
