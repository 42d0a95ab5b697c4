/**
 * Collects the statistics of a live mount from all its parts.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import type { MountedFileSystem, OperationStatistics } from "#src/mount/mod.ts";
import type { CounterName } from "#src/overlay/counters.ts";
import { isDiffReadOnly, measureDiff } from "#src/overlay/diff_usage.ts";
import { overlayStatistics, type SharedState } from "#src/overlay/shared_state.ts";
import type { StatisticsReport } from "./statistics_report.ts";

/** Counters that are states: a reset leaves them alone. */
const GAUGES: ReadonlySet<CounterName> = new Set<CounterName>(["indexFiles", "indexBytes"]);

/** What is mounted. */
export interface MountedBackup {
  readonly instance: string;
  readonly backupId: string;
  readonly fsname: string;
  readonly diffPath: string;
}

/** The statistics of one mount. */
export class StatisticsCollector {
  readonly #mounted: MountedFileSystem;
  readonly #backup: MountedBackup;
  readonly #shared: SharedState;
  readonly #startedMs = performance.now();
  /** Counters at the last reset. */
  #baseline: Partial<Record<CounterName, number>> = {};

  constructor(mounted: MountedFileSystem, backup: MountedBackup, shared: SharedState) {
    this.#mounted = mounted;
    this.#backup = backup;
    this.#shared = shared;
  }

  /** Everything since the mount or the last reset. */
  collect(): StatisticsReport {
    const { counters, handlesOpen } = this.#overlay();
    const operations = this.#mounted.statistics.operations();
    const { instance, backupId, fsname, diffPath } = this.#backup;
    return {
      pid: host.getPid(),
      uptime_s: Math.round(performance.now() - this.#startedMs) / 1000,
      mount: {
        instance,
        backup_id: backupId,
        fsname,
        workers: this.#mounted.workerCount,
        kernel_features: this.#mounted.kernelFeatures,
      },
      waiting: this.#mounted.waitReport(),
      overlay: overlaySection(counters),
      fuse: fuseSection(operations, counters, handlesOpen),
      diff: {
        ...measureDiff(diffPath),
        read_only: isDiffReadOnly(diffPath),
        blocks_copied: counters.blocksCopied,
        bytes_copied: counters.bytesCopied,
      },
      index: { files: counters.indexFiles, bytes: counters.indexBytes },
      operations,
      cache: {
        page_hits: counters.pageHits,
        page_misses: counters.pageMisses,
        handle_hits: counters.handleHits,
        handle_misses: counters.handleMisses,
      },
    };
  }

  /** Counts from zero from now on. */
  reset(): void {
    this.#mounted.statistics.reset();
    const { counters } = overlayStatistics(this.#shared);
    this.#baseline = Object.fromEntries(
      Object.entries(counters).filter(([name]) => !GAUGES.has(name as CounterName)),
    );
  }

  #overlay(): { counters: Record<CounterName, number>; handlesOpen: number } {
    const { counters, handlesOpen } = overlayStatistics(this.#shared);
    for (const [name, base] of Object.entries(this.#baseline)) {
      counters[name as CounterName] -= base;
    }
    return { counters, handlesOpen };
  }
}

function overlaySection(counters: Record<CounterName, number>): Record<string, number> {
  return {
    cache_hits: counters.pageHits,
    cache_misses: counters.pageMisses,
    blocks_copied: counters.blocksCopied,
    bytes_copied: counters.bytesCopied,
    files_copied_up: counters.filesCopiedUp,
    whole_copies: counters.wholeCopies,
    reads_from_lower: counters.readsFromLower,
    bytes_from_lower: counters.bytesFromLower,
    reads_from_diff: counters.readsFromDiff,
    bytes_from_diff: counters.bytesFromDiff,
    bytes_written: counters.bytesWritten,
    passthrough_opens: counters.passthroughOpens,
    syncs: counters.syncs,
  };
}

function fuseSection(
  operations: Record<string, OperationStatistics>,
  counters: Record<CounterName, number>,
  handlesOpen: number,
): Record<string, number> {
  const all = Object.values(operations);
  return {
    handle_hits: counters.handleHits,
    handle_misses: counters.handleMisses,
    handles_open: handlesOpen,
    tasks_total: all.reduce((sum, { count }) => sum + count, 0),
    tasks_negative: all.reduce((sum, { negative }) => sum + negative, 0),
    tasks_failed: all.reduce((sum, { errors }) => sum + errors, 0),
  };
}
