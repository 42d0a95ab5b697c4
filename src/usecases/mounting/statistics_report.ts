/**
 * The statistics of a mount, as they are stored and printed as JSON. What each counter means: docs/statistics.md.
 *
 * @module
 */

import type { OperationStatistics, WaitReport } from "#src/mount/mod.ts";

/** One object over all workers of a mount. Keys are part of the command line's interface. */
export interface StatisticsReport {
  readonly pid: number;
  readonly uptime_s: number;
  readonly mount: {
    readonly instance: string;
    readonly backup_id: string;
    readonly fsname: string;
    readonly workers: number;
    readonly kernel_features: readonly string[];
  };
  /** What waits for the storage of the backup. */
  readonly waiting: WaitReport;
  readonly overlay: Readonly<Record<string, number>>;
  readonly fuse: Readonly<Record<string, number>>;
  readonly diff: {
    /** Space that the diff takes on its disk. */
    readonly bytes: number;
    readonly files: number;
    /** Its disk takes no changes. */
    readonly read_only: boolean;
    readonly blocks_copied: number;
    readonly bytes_copied: number;
  };
  /** Page indexes in memory. */
  readonly index: { readonly files: number; readonly bytes: number };
  readonly operations: Readonly<Record<string, OperationStatistics>>;
  readonly cache: {
    readonly page_hits: number;
    readonly page_misses: number;
    readonly handle_hits: number;
    readonly handle_misses: number;
  };
}
