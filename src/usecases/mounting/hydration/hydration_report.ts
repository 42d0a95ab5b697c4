/**
 * How far the hydration of a mount is, as it is stored and printed as JSON.
 *
 * @module
 */

import type { HydrationPhase, HydrationProgress } from "#src/overlay/hydration/hydration_state.ts";

/** Keys are part of the command line's interface. */
export interface HydrationReport {
  /** What it does, or how it has ended. */
  readonly state: HydrationPhase;
  /** Why it is paused, incomplete or has failed; null where there is nothing to say. */
  readonly reason: string | null;
  /** Bytes a second that it keeps to; null: as many as it can. */
  readonly rate_limit: number | null;
  /** Bytes a second at present. */
  readonly rate: number;
  /** Bytes that are in the diff. */
  readonly bytes_done: number;
  /** 0 as long as it is not known. */
  readonly bytes_total: number;
  /** Files that are in the diff. */
  readonly files_done: number;
  /** 0 as long as it is not known. */
  readonly files_total: number;
  /** Files that cannot be read in the source, and stay there. */
  readonly files_left_out: number;
  /** Seconds until all is there, at the present rate; null where nobody knows. */
  readonly time_left_s: number | null;
}

const HAVE_REASON: ReadonlySet<HydrationPhase> = new Set(["paused", "incomplete", "failed"]);

/** What there is to say. @param reason what was said last of why it does not go on */
export function hydrationReport(
  progress: HydrationProgress,
  reason: string | undefined,
): HydrationReport {
  const { phase, rate, bytesDone, bytesTotal } = progress;
  const isRunning = phase === "running" && bytesTotal > 0;
  return {
    state: phase,
    reason: HAVE_REASON.has(phase) ? reason ?? null : null,
    rate_limit: progress.rateLimit ?? null,
    rate,
    bytes_done: bytesDone,
    bytes_total: bytesTotal,
    files_done: progress.filesDone,
    files_total: progress.filesTotal,
    files_left_out: progress.filesLeftOut,
    time_left_s: isRunning && rate > 0 ? Math.ceil((bytesTotal - bytesDone) / rate) : null,
  };
}
