/**
 * What syncing needs of places of snapshots, beyond what all can do with them: to give snapshots
 * and take them as they are stored.
 *
 * @module
 */

import type { GroupId, SnapshotId } from "../format/snapshot_path.ts";
import type { SnapshotStore } from "../ports.ts";
import type { SnapshotInfo } from "../snapshot_types.ts";
import type { SnapshotDestination } from "../snapshots/snapshot_destination.ts";
import type { Storage } from "../storage/storage.ts";

/** A snapshot as it is stored. It is not removed while it is open. */
export interface StoredSnapshot extends Disposable {
  /** Group and time, with the namespace. */
  readonly id: SnapshotId;
  /** Its files, and the chunks of indexes that were read from there. */
  readonly storage: Storage;
}

/** A place that snapshots can be copied from and to. */
export interface CopyableStore extends SnapshotStore {
  /**
   * What is known of the snapshots of a group, newest first. One that goes meanwhile is left out.
   *
   * @throws {StateError} `not-found`
   */
  snapshotInfos(group: GroupId): Iterable<SnapshotInfo>;
  /**
   * Opens a finished snapshot as it is stored.
   *
   * @throws {StateError} `not-found`, or `locked` while it is being removed
   */
  openStored(snapshot: SnapshotId): StoredSnapshot;
  /**
   * Starts the copy of a snapshot of elsewhere. What an attempt that was killed has left goes.
   *
   * @throws {StateError} `locked`, `not-found` when there is no such namespace, `exists` when it is
   *   not younger than the last snapshot of its group
   */
  startCopy(snapshot: SnapshotId): SnapshotDestination;
}
