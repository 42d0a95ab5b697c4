/**
 * Hydration of a mount, from outside: ordered, asked for, waited for.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { pause } from "#src/io/pause.ts";
import { requestStatistics } from "../statistics_request.ts";
import { hasDiffStatistics } from "../statistics_report.ts";
import type { HydrationReport } from "./hydration_report.ts";
import type { HydrationOrder } from "./mount_hydration.ts";

const POLL_MS = 500;
/** The worker counts the files of the diff for each report: a tenth of its time at most. */
const PAUSE_FACTOR = 10;

/**
 * How far the hydration of a mount is.
 *
 * @param order is obeyed before
 * @throws {StateError} `not-mounted`; `not-found` when there is no diff directory, or the worker is
 *   not to be seen; `stopped` or `timeout` when it does not answer
 * @throws {OsError} when this user may not ask
 */
export async function requestHydration(
  mountPath: string,
  order?: HydrationOrder,
): Promise<HydrationReport> {
  const report = await requestStatistics(mountPath, order === undefined ? {} : { order });
  if (hasDiffStatistics(report)) return report.hydration;
  throw new StateError("not-found", `Cannot hydrate ${mountPath}: it has no diff directory`, {
    hint: "Mount it with one",
    option: "diffPath",
  });
}

/**
 * Waits until everything is in the diff directory; files that are open may not be plain yet.
 *
 * @param onProgress is told how far it is, now and then
 * @throws {StateError} `partial` when files cannot be read in the source; `stopped` when it was
 *   stopped or has failed
 * @throws what {@link requestHydration} throws
 */
export async function waitForHydration(
  mountPath: string,
  onProgress: (report: HydrationReport) => void,
): Promise<HydrationReport> {
  for (;;) {
    const askedAt = performance.now();
    const report = await requestHydration(mountPath);
    const answerMs = performance.now() - askedAt;
    if (report.state === "complete" || report.state === "waiting") return report;
    if (report.state !== "running" && report.state !== "paused") throw notComing(mountPath, report);
    onProgress(report);
    await pause(Math.max(POLL_MS, PAUSE_FACTOR * answerMs));
  }
}

function notComing(mountPath: string, report: HydrationReport): StateError {
  const { state, reason, files_left_out: leftOut } = report;
  const because = reason === null ? "" : `: ${reason}`;
  if (state === "incomplete") {
    return new StateError("partial", `${leftOut} files cannot be hydrated${because}`, {
      hint: "They stay in the backup alone; the log names them",
    });
  }
  const what = state === "failed" ? "has failed" : "was stopped";
  return new StateError("stopped", `Hydration of ${mountPath} ${what}${because}`, {
    hint: "Start it again",
  });
}
