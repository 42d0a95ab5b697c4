/**
 * What pruning decides, as a table.
 *
 * @module
 */

import { formatBackupTime } from "#src/pbs/format/snapshot_path.ts";
import { formatCalendarTime } from "#src/usecases/local_time.ts";
import type { PruneRecord } from "#src/usecases/datastore/prune_record.ts";
import type { RecordTable } from "./output.ts";

/** Columns of {@link PruneRecord}. */
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
