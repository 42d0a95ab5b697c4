/**
 * Collects the statistics of a live mount from all its parts.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { MountedFileSystem } from "#src/mount/mount.ts";
import type { OperationStatistics } from "#src/mount/statistics.ts";
import type { CounterName, OverlayCounts } from "#src/overlay/counters.ts";
import { isDiffReadOnly, measureDiff } from "#src/overlay/diff_usage.ts";
import type { OverlayParts } from "#src/overlay/overlay.ts";
import { overlayStatistics, type SharedState } from "#src/overlay/shared_state.ts";
import {
  createPageCounterMemory,
  type PageCounts,
  sumPageCounters,
} from "#src/pgprobackup/page_counters.ts";
import type { HydrationReport } from "./hydration/hydration_report.ts";
import type { DiffStatisticsReport, StatisticsReport } from "./statistics_report.ts";

/** The statistics of one mount. */
export interface StatisticsCollector {
  /** Everything since the mount or the last reset. */
  collect(): StatisticsReport;
  /** Counts from zero from now on. */
  reset(): void;
}

/** Of any mount: its requests. */
export class RequestStatistics implements StatisticsCollector {
  readonly #mounted: MountedFileSystem;
  readonly #fsname: string;
  readonly #startedMs = performance.now();

  /** @param fsname name of the source in df and the mount table */
  constructor(mounted: MountedFileSystem, fsname: string) {
    this.#mounted = mounted;
    this.#fsname = fsname;
  }

  collect(): StatisticsReport {
    const operations = this.#mounted.statistics.operations();
    return {
      pid: host.getPid(),
      uptime_s: Math.round(performance.now() - this.#startedMs) / 1000,
      mount: {
        fsname: this.#fsname,
        workers: this.#mounted.workerCount,
        kernel_features: this.#mounted.kernelFeatures,
      },
      waiting: this.#mounted.waitReport(),
      fuse: sumsOf(operations),
      operations,
    };
  }

  reset(): void {
    this.#mounted.statistics.reset();
  }
}

/** What is mounted over a diff directory. */
export interface MountedSource {
  /** Name of the source in df and the mount table. */
  readonly fsname: string;
  /** What else is said of it. */
  readonly facts: Pick<DiffStatisticsReport["mount"], "instance" | "backup_id">;
  /** See `createPageCounterMemory`; absent where no pages are put together. */
  readonly pageCounters?: SharedArrayBuffer | undefined;
}

/** Of a mount over a diff directory: also the diff and what is read below it. */
export class DiffStatistics implements StatisticsCollector {
  readonly #requests: RequestStatistics;
  readonly #source: MountedSource;
  readonly #pageCounters: SharedArrayBuffer;
  readonly #diffPath: string;
  readonly #shared: SharedState;
  readonly #hydration: () => HydrationReport;
  /** Counters at the last reset. */
  #baseline: Partial<OverlayCounts> = {};
  #pageBaseline = { pageHits: 0, pageMisses: 0 };

  constructor(
    mounted: MountedFileSystem,
    source: MountedSource,
    { shared, diffPath }: Pick<OverlayParts, "shared" | "diffPath">,
    hydration: () => HydrationReport,
  ) {
    this.#requests = new RequestStatistics(mounted, source.fsname);
    this.#source = source;
    this.#pageCounters = source.pageCounters ?? createPageCounterMemory();
    this.#shared = shared;
    this.#diffPath = diffPath;
    this.#hydration = hydration;
  }

  collect(): DiffStatisticsReport {
    const { counters, handlesOpen } = this.#overlay();
    const pages = this.#pages();
    const diffPath = this.#diffPath;
    const { mount, fuse, ...requests } = this.#requests.collect();
    return {
      ...requests,
      mount: { ...this.#source.facts, ...mount },
      overlay: overlaySection(counters, pages),
      fuse: {
        handle_hits: counters.handleHits,
        handle_misses: counters.handleMisses,
        handles_open: handlesOpen,
        ...fuse,
      },
      diff: {
        ...measureDiff(diffPath),
        read_only: isDiffReadOnly(diffPath),
        blocks_copied: counters.blocksCopied,
        bytes_copied: counters.bytesCopied,
      },
      hydration: this.#hydration(),
      index: { files: pages.indexFiles, bytes: pages.indexBytes },
      cache: {
        page_hits: pages.pageHits,
        page_misses: pages.pageMisses,
        handle_hits: counters.handleHits,
        handle_misses: counters.handleMisses,
      },
    };
  }

  reset(): void {
    this.#requests.reset();
    this.#baseline = overlayStatistics(this.#shared).counters;
    this.#pageBaseline = sumPageCounters(this.#pageCounters);
  }

  /** What the indexes take is a state: a reset leaves that alone. */
  #pages(): PageCounts {
    const pages = sumPageCounters(this.#pageCounters);
    pages.pageHits -= this.#pageBaseline.pageHits;
    pages.pageMisses -= this.#pageBaseline.pageMisses;
    return pages;
  }

  #overlay(): { counters: OverlayCounts; handlesOpen: number } {
    const { counters, handlesOpen } = overlayStatistics(this.#shared);
    for (const [name, base] of Object.entries(this.#baseline)) {
      counters[name as CounterName] -= base;
    }
    return { counters, handlesOpen };
  }
}

function overlaySection(
  counters: OverlayCounts,
  pages: PageCounts,
): Record<string, number> {
  return {
    cache_hits: pages.pageHits,
    cache_misses: pages.pageMisses,
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

function sumsOf(operations: Record<string, OperationStatistics>): Record<string, number> {
  const all = Object.values(operations);
  return {
    tasks_total: all.reduce((sum, { count }) => sum + count, 0),
    tasks_negative: all.reduce((sum, { negative }) => sum + negative, 0),
    tasks_failed: all.reduce((sum, { errors }) => sum + errors, 0),
  };
}
