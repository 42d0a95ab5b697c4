/**
 * Removes snapshots and groups of a datastore.
 *
 * @module
 */

import { OsError, StateError } from "#src/errors.ts";
import { MANIFEST_NAME } from "../format/manifest.ts";
import {
  formatGroup,
  groupDirectory,
  type GroupId,
  snapshotDirectory,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import type { KeptSnapshot } from "../snapshot_types.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { ProtectedSnapshotError } from "../state_errors.ts";
import { isFinished, isProtected, listSnapshots, NOTES_FILE, OWNER_FILE } from "./store_listing.ts";
import type { FileStorage } from "../storage/storage.ts";
import { requireGroup, requireSnapshot } from "./store_places.ts";

/**
 * Removes a snapshot, and its group when that is empty then.
 *
 * @throws {StateError} `not-found`, `locked` while it is read, written or base of a backup, or
 *   `protected`
 * @throws {OsError}
 */
export function forgetSnapshot(store: OpenStore, snapshot: SnapshotId): void {
  removeSnapshot(store, snapshot);
  const { locks } = writableParts(store);
  if (listSnapshots(store, snapshot.group).length > 0) return;
  try {
    const lock = locks.lockGroup(snapshot.group);
    try {
      removeEmptyGroup(store, snapshot.group);
    } finally {
      lock.release();
    }
  } catch (error) {
    // Somebody makes a new snapshot, or has removed the group already.
    if (!(error instanceof StateError)) throw error;
  }
}

/**
 * Removes a group with all its snapshots; protected ones and those in use stay, and with them the
 * group.
 *
 * @returns the snapshots that stayed
 * @throws {StateError} `not-found`, `locked`, or `busy` when the group stays because there is
 *   something unknown in it
 * @throws {OsError}
 */
export function forgetGroup(store: OpenStore, group: GroupId): KeptSnapshot[] {
  requireGroup(store, group);
  const lock = writableParts(store).locks.lockGroup(group);
  try {
    const kept = listSnapshots(store, group).flatMap((id): KeptSnapshot[] => {
      try {
        removeSnapshot(store, id);
        return [];
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        if (error.code === "not-found") return [];
        if (!KEEPING.has(error.code)) throw error;
        return [{ id, reason: error }];
      }
    });
    const unknown = kept.length === 0 ? removeGroup(store, group) : undefined;
    if (unknown === undefined) return kept;
    throw new StateError(
      "busy",
      `Cannot remove group ${formatGroup(group)}: there is "${unknown}" in it`,
      { hint: "Its snapshots are removed. Remove the rest by hand if nobody needs it" },
    );
  } finally {
    lock.release();
  }
}

/** Why a snapshot stays although its group is removed. */
const KEEPING: ReadonlySet<string> = new Set(["protected", "locked"]);

function removeSnapshot(store: OpenStore, snapshot: SnapshotId): void {
  requireSnapshot(store, snapshot);
  const { locks } = writableParts(store);
  const snapshotLock = locks.lockSnapshot(snapshot, "exclusive");
  try {
    const manifestLock = hasManifest(store, snapshot) ? locks.lockManifest(snapshot) : undefined;
    try {
      if (isProtected(store, snapshot)) {
        throw new ProtectedSnapshotError(snapshot);
      }
      removeSnapshotDirectory(store, snapshot);
      locks.forgetSnapshot(snapshot);
    } finally {
      manifestLock?.release();
    }
  } finally {
    snapshotLock.release();
  }
}

/**
 * What a snapshot's manifest is called before the snapshot is finished, and while it is removed: it
 * tells what somebody who was killed has left from what others are writing.
 */
export const PENDING_MANIFEST = "index.json.pending";

/** Removes the directory of a snapshot that the caller has locked. @throws {OsError} */
export function removeSnapshotDirectory(store: OpenStore, snapshot: SnapshotId): void {
  const { files } = writableParts(store);
  const folder = snapshotDirectory(snapshot);
  if (isFinished(store, snapshot)) markAsRemoved(files, folder);
  // First what makes it a snapshot: whatever happens, nobody takes the rest for a finished one.
  files.remove(`${folder}/${MANIFEST_NAME}`);
  for (const { name } of files.list(folder)) {
    if (name !== PENDING_MANIFEST) files.remove(`${folder}/${name}`);
  }
  files.removeFolderTree(folder);
}

function markAsRemoved(files: FileStorage, folder: string): void {
  try {
    files.replace(`${folder}/${PENDING_MANIFEST}`, new Uint8Array(0));
  } catch (error) {
    // On a full disk it must be possible to remove something, even if a kill leaves a part of it.
    if (!(error instanceof OsError)) throw error;
  }
}

/** Whether there is a manifest that somebody could change: what is no file needs no lock. */
function hasManifest(store: OpenStore, snapshot: SnapshotId): boolean {
  const name = `${snapshotDirectory(snapshot)}/${MANIFEST_NAME}`;
  return store.storage.files.status(name)?.kind === "file";
}

/**
 * Files that belong to a group itself, the owner last; somebody may have been killed while writing
 * them.
 */
const GROUP_FILES = [`${NOTES_FILE}.tmp`, NOTES_FILE, `${OWNER_FILE}.tmp`, OWNER_FILE];

/**
 * Removes a group that the caller has locked, where there is no snapshot in it. @throws {OsError}
 */
export function removeEmptyGroup(store: OpenStore, group: GroupId): void {
  if (listSnapshots(store, group).length === 0) removeGroup(store, group);
}

/**
 * Removes a group without snapshots. @returns the name of something else in it, because of which it
 * stays
 */
function removeGroup(store: OpenStore, group: GroupId): string | undefined {
  const { files, locks } = writableParts(store);
  const folder = groupDirectory(group);
  const unknown = files.list(folder).find(({ name }) => !GROUP_FILES.includes(name))?.name;
  if (unknown !== undefined) return unknown;
  for (const name of GROUP_FILES) files.remove(`${folder}/${name}`);
  files.removeFolder(folder);
  locks.forgetGroup(group);
  return undefined;
}
