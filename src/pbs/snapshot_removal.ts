/**
 * Removes snapshots and groups of a datastore.
 *
 * @module
 */

import { removeFile } from "#src/io/files/whole_file.ts";
import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { Errno, OsError, StateError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { MANIFEST_NAME } from "./format/manifest.ts";
import { formatGroup, type GroupId, type SnapshotId } from "./format/snapshot_path.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { ProtectedSnapshotError } from "./state_errors.ts";
import { isProtected, listSnapshots, namesIn, NOTES_FILE, OWNER_FILE } from "./store_listing.ts";
import { groupPath, requireGroup, requireSnapshot, snapshotPath } from "./store_places.ts";

/**
 * Removes a snapshot, and its group when that is empty then.
 *
 * @throws {StateError} `not-found`, `locked` while it is read, written or base of a backup, or `protected`
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

/** A snapshot that was not removed with its group. */
export interface KeptSnapshot {
  readonly id: SnapshotId;
  /** `protected` or `locked`. */
  readonly reason: StateError;
}

/**
 * Removes a group with all its snapshots; protected ones and those in use stay, and with them the group.
 *
 * @returns the snapshots that stayed
 * @throws {StateError} `not-found`, `locked`, or `busy` when the group stays because there is something unknown in it
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

/** Removes the directory of a snapshot that the caller has locked. @throws {OsError} */
export function removeSnapshotDirectory(store: OpenStore, snapshot: SnapshotId): void {
  const path = snapshotPath(store, snapshot);
  // First what makes it a snapshot: whatever happens, nobody takes the rest for a finished one.
  const manifest = `${path}/${MANIFEST_NAME}`;
  if (typeOf(manifest) !== EntryType.DIRECTORY) removeFile(manifest);
  removeTree(path);
}

/** Removes a directory of files, with what may be in directories there. A symbolic link is removed itself. */
function removeTree(path: string): void {
  for (const name of namesIn(path)) {
    const child = `${path}/${name}`;
    if (typeOf(child) === EntryType.DIRECTORY) removeTree(child);
    else removeFile(child);
  }
  removeDirectory(path);
}

/** The {@link EntryType}; undefined when there is nothing. A symbolic link is not followed. */
function typeOf(path: string): number | undefined {
  const stat = new host.HostStat();
  return host.statAt(host.At.FDCWD, path, stat) < 0 ? undefined : entryType(stat.mode);
}

/** Whether there is a manifest that somebody could change: what is no file needs no lock. */
function hasManifest(store: OpenStore, snapshot: SnapshotId): boolean {
  return typeOf(`${snapshotPath(store, snapshot)}/${MANIFEST_NAME}`) === EntryType.FILE;
}

/** Files that belong to a group itself, the owner last; somebody may have been killed while writing them. */
const GROUP_FILES = [`${NOTES_FILE}.tmp`, NOTES_FILE, `${OWNER_FILE}.tmp`, OWNER_FILE];

/** Removes a group that the caller has locked, where there is no snapshot in it. @throws {OsError} */
export function removeEmptyGroup(store: OpenStore, group: GroupId): void {
  if (listSnapshots(store, group).length === 0) removeGroup(store, group);
}

/** Removes a group without snapshots. @returns the name of something else in it, because of which it stays */
function removeGroup(store: OpenStore, group: GroupId): string | undefined {
  const path = groupPath(store, group);
  const unknown = namesIn(path).find((name) => !GROUP_FILES.includes(name));
  if (unknown !== undefined) return unknown;
  for (const name of GROUP_FILES) removeFile(`${path}/${name}`);
  removeDirectory(path);
  writableParts(store).locks.forgetGroup(group);
  return undefined;
}

/** Removes an empty directory. @throws {OsError} when it is there and not empty */
export function removeDirectory(path: string): void {
  const result = host.rmdirAt(host.At.FDCWD, path);
  if (result < 0 && result !== -Errno.ENOENT) throw new OsError(-result, "remove", path);
}
