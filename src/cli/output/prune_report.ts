/**
 * What pruning decides, for people and programs.
 *
 * @module
 */

import { formatBackupTime, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { PruneDecision } from "#src/pbs/snapshots/prune.ts";
import { formatCalendarTime } from "#src/usecases/local_time.ts";
import type { RecordTable } from "./output.ts";

/** What becomes of a snapshot; all but `reason` as a server's API has it. */
export interface PruneRecord {
  readonly "backup-id": string;
  /** Unix seconds. */
  readonly "backup-time": number;
  readonly "backup-type": string;
  readonly keep: boolean;
  readonly protected: boolean;
  /**
   * Period that it is kept for, `protected`, `partial` or, where no period was asked for, `all`;
   * null when it goes.
   */
  readonly reason: string | null;
}

/** Columns of {@link pruneRecord}. */
export const PRUNE_TABLE: RecordTable<PruneRecord> = {
  columns: [
    { title: "snapshot" },
    { title: "date", align: "right" },
    { title: "action", align: "right" },
    { title: "reason" },
  ],
  row: (record) => [
    `${record["backup-type"]}/${record["backup-id"]}/${formatBackupTime(record["backup-time"])}`,
    formatCalendarTime(record["backup-time"]),
    record.keep ? "keep" : "remove",
    record.reason ?? "",
  ],
};

/** What is told of one decision. */
export function pruneRecord(
  { id, mark, period, isProtected }: PruneDecision<SnapshotId>,
): PruneRecord {
  const reason = {
    "keep": period ?? "all",
    "keep-partial": "partial",
    "protected": "protected",
    "remove": null,
  }[mark];
  return {
    "backup-id": id.group.id,
    "backup-time": id.time,
    "backup-type": id.group.type,
    keep: mark !== "remove",
    protected: isProtected,
    reason,
  };
}
