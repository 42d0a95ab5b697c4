/**
 * The statistics of a mount, as they are stored and printed as JSON. What each counter means:
 * docs/statistics.md.
 *
 * @module
 */

import type { HydrationReport } from "./hydration/hydration_report.ts";
import type { WaitReport } from "#src/mount/pending/wait_guard.ts";
import type { OperationStatistics } from "#src/mount/statistics.ts";

/** What was mounted, and how. */
export interface MountSection {
  readonly fsname: string;
  readonly workers: number;
  readonly kernel_features: readonly string[];
}

/** One object over all workers of a mount. Keys are part of the command line's interface. */
export interface StatisticsReport {
  readonly pid: number;
  readonly uptime_s: number;
  readonly mount: MountSection;
  /** What waits for the storage of the backup. */
  readonly waiting: WaitReport;
  readonly fuse: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, OperationStatistics>>;
}

/** Of a mount over a diff directory; `instance` and `backup_id` are of a backup of pg_probackup. */
export interface DiffStatisticsReport extends StatisticsReport {
  readonly mount: MountSection & { readonly instance?: string; readonly backup_id?: string };
  readonly overlay: Readonly<Record<string, number>>;
  readonly diff: {
    /** Space that the diff takes on its disk. */
    readonly bytes: number;
    readonly files: number;
    /** Its disk takes no changes. */
    readonly read_only: boolean;
    readonly blocks_copied: number;
    readonly bytes_copied: number;
  };
  /** How much of the source is in the diff. */
  readonly hydration: HydrationReport;
  /** Page indexes in memory. */
  readonly index: { readonly files: number; readonly bytes: number };
  readonly cache: {
    readonly page_hits: number;
    readonly page_misses: number;
    readonly handle_hits: number;
    readonly handle_misses: number;
  };
}

/** Whether it is one of a mount over a diff directory. */
export function hasDiffStatistics(report: StatisticsReport): report is DiffStatisticsReport {
  return "overlay" in report;
}
