/**
 * Where a server keeps the lock files of groups, snapshots and manifests.
 *
 * @module
 */

import { sha256Of } from "#src/codecs/hashing.ts";
import {
  formatBackupTime,
  formatGroup,
  formatSnapshot,
  type GroupId,
  type Namespace,
  namespaceNames,
  snapshotDirectory,
  type SnapshotId,
} from "../../format/snapshot_path.ts";
import { escapeUnit } from "../../format/upid.ts";

/** Where servers keep their lock files. */
export const SERVER_LOCKS_PATH = "/run/proxmox-backup/locks";

const NAME_LENGTH_MAX = 254;
const HASHED_PART_LENGTH = 80;
const HASHED_DIRECTORY = "hashed";

/** Where a server from 4.2 on notes what it moves, relative to the folder of its store. */
export const MOVE_JOURNAL = "move-journal";

/** The lock file of a group, relative to the folder of its store. */
export function groupLockPath(group: GroupId): string {
  return lockPath(group.ns, formatGroup(group));
}

/** The lock file of a snapshot, relative to the folder of its store. */
export function snapshotLockPath(snapshot: SnapshotId): string {
  return lockPath(snapshot.group.ns, formatSnapshot(snapshot));
}

/** The lock file of a snapshot's manifest, relative to the folder of its store. */
export function manifestLockPath(snapshot: SnapshotId): string {
  return lockPath(snapshot.group.ns, `${formatSnapshot(snapshot)}/.index.json.lck`);
}

/** The same, as servers before 3.4 had it. */
export function oldManifestLockPath(snapshot: SnapshotId): string {
  return `${snapshotDirectory(snapshot)}/${formatBackupTime(snapshot.time)}.index.json.lck`;
}

function lockPath(ns: Namespace, path: string): string {
  const folder = namespaceNames(ns).join(":");
  const name = lockName(path);
  return folder === "" ? name : `${folder}/${name}`;
}

function lockName(path: string): string {
  const name = escapeUnit(path);
  if (name.length <= NAME_LENGTH_MAX) return name;
  const digest = sha256Of(new TextEncoder().encode(path)).toHex();
  const start = name.slice(0, HASHED_PART_LENGTH);
  const end = name.slice(-HASHED_PART_LENGTH);
  return `${HASHED_DIRECTORY}/${start}...${end}-${digest}`;
}
