/**
 * What pruning decides, as plain values.
 *
 * @module
 */

import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { PruneDecision } from "#src/pbs/snapshots/prune.ts";

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
