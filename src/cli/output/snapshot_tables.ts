/**
 * Lists of groups, snapshots and files as tables.
 *
 * @module
 */

import { formatBackupTime } from "#src/pbs/format/snapshot_path.ts";
import {
  compareText,
  type FileRecord,
  type GroupRecord,
  type SnapshotRecord,
} from "#src/pbs/snapshots/snapshot_records.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { RecordTable } from "./output.ts";

/** What is said of a snapshot without manifest. */
export const UNFINISHED = "unfinished: its backup still runs, or has been ended before it was done";

/** Columns of {@link GroupRecord}. */
export const GROUP_TABLE: RecordTable<GroupRecord> = {
  columns: [
    { title: "group" },
    { title: "last snapshot" },
    { title: "backup-count", align: "right" },
    { title: "files" },
  ],
  row: (record) => {
    const group = `${record["backup-type"]}/${record["backup-id"]}`;
    const last = record["last-backup"];
    return [
      group,
      last === undefined ? "" : `${group}/${formatBackupTime(last)}`,
      String(record["backup-count"]),
      shortNames(record.files),
    ];
  },
};

/** Columns of {@link SnapshotRecord}. */
export const SNAPSHOT_TABLE: RecordTable<SnapshotRecord> = {
  columns: [{ title: "snapshot" }, { title: "size", align: "right" }, { title: "files" }],
  row: (record) => {
    const group = `${record["backup-type"]}/${record["backup-id"]}`;
    return [
      `${group}/${formatBackupTime(record["backup-time"])}`,
      record.unfinished ? "unfinished" : formatSize(record.size),
      shortNames(record.files.map((file) => file.filename)),
    ];
  },
};

/** Columns of {@link FileRecord}. */
export const FILE_TABLE: RecordTable<FileRecord> = {
  columns: [{ title: "filename" }, { title: "crypt-mode" }, { title: "size", align: "right" }],
  row: (record) => [record.filename, record["crypt-mode"] ?? "", String(record.size ?? "")],
};

function formatSize(bytes: number | undefined): string {
  return bytes === undefined ? "" : formatHumanBytes(bytes);
}

function shortNames(files: readonly string[]): string {
  return files.map((name) => name.replace(/\.([fd]idx|blob)$/u, "")).sort(compareText).join(" ");
}
