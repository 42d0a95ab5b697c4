/**
 * What lists of groups, snapshots and files say; names and values as a server's API has them.
 *
 * @module
 */

import type { SnapshotStore } from "#src/pbs/ports.ts";
import type { GroupInfo, SnapshotFile, SnapshotInfo } from "#src/pbs/snapshot_types.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import { BACKUP_TYPES, type GroupId, type Namespace } from "#src/pbs/format/snapshot_path.ts";

const MANIFEST_NAME = "index.json.blob";

/** A group as listed. */
export interface GroupRecord {
  readonly "backup-count": number;
  readonly "backup-id": string;
  readonly "backup-type": string;
  /** First line of the notes. */
  readonly comment?: string | undefined;
  /** Of the last snapshot. */
  readonly files: readonly string[];
  /** Unix seconds. */
  readonly "last-backup"?: number | undefined;
  readonly owner?: string | undefined;
}

/** A file of a snapshot as listed. */
export interface FileRecord {
  /** Left out for what the manifest does not list. */
  readonly "crypt-mode"?: CryptMode;
  readonly filename: string;
  readonly size?: number;
}

/** A snapshot as listed. */
export interface SnapshotRecord {
  readonly "backup-id": string;
  readonly "backup-time": number;
  readonly "backup-type": string;
  readonly comment?: string | undefined;
  readonly files: readonly FileRecord[];
  /** Of the key that it was made with. */
  readonly fingerprint?: string | undefined;
  readonly owner?: string | undefined;
  readonly protected: boolean;
  readonly size?: number | undefined;
  /**
   * There is no manifest: the backup runs, or has ended before its end. Left out where there is
   * one, as by servers.
   */
  readonly unfinished?: true | undefined;
  readonly verification?: { readonly state: string; readonly upid: string } | undefined;
}

/** Groups of a namespace in the order of lists: by type and id. */
export function sortedGroups(store: SnapshotStore, ns: Namespace): GroupId[] {
  return store.groups(ns).sort((a, b) =>
    BACKUP_TYPES.indexOf(a.type) - BACKUP_TYPES.indexOf(b.type) || compareText(a.id, b.id)
  );
}

/** What is listed of a group. */
export function groupRecord(store: SnapshotStore, info: GroupInfo): GroupRecord {
  const { id, last, owner, notes } = info;
  return {
    "backup-count": info.snapshots.length,
    "backup-id": id.id,
    "backup-type": id.type,
    comment: commentOf(notes),
    files: last === undefined ? [] : store.snapshotInfo(last).files.map((file) => file.name),
    "last-backup": last?.time,
    owner,
  };
}

/** What is listed of a snapshot. */
export function snapshotRecord(info: SnapshotInfo): SnapshotRecord {
  const { group, time } = info.id;
  const files = fileRecords(info);
  const size = files.reduce((sum, file) => sum + (file.size ?? 0), 0);
  return {
    "backup-id": group.id,
    "backup-time": time,
    "backup-type": group.type,
    comment: commentOf(info.notes),
    files,
    fingerprint: info.keyFingerprint,
    owner: info.owner,
    protected: info.isProtected,
    size: files.some((file) => file.size !== undefined) ? size : undefined,
    unfinished: info.isFinished ? undefined : true,
    verification: info.verifyState,
  };
}

/** What is listed of a snapshot's files. */
export function fileRecords(info: SnapshotInfo): FileRecord[] {
  return info.files.map((file) => {
    const mode = modeOf(file, info);
    return mode === undefined
      ? { filename: file.name }
      : { "crypt-mode": mode, filename: file.name, size: file.size };
  });
}

/** Order of texts by their code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The manifest does not list itself: it is signed where a key was used. */
function modeOf(file: SnapshotFile, info: SnapshotInfo): CryptMode | undefined {
  if (file.name !== MANIFEST_NAME || info.error !== undefined) return file.cryptMode;
  return info.keyFingerprint === undefined ? "none" : "sign-only";
}

function commentOf(notes: string | undefined): string | undefined {
  return notes?.split("\n", 1)[0];
}
