/**
 * How far hydration is, in a line for people.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { HydrationReport } from "#src/usecases/mounting/hydration/hydration_report.ts";
import { formatDuration } from "./duration.ts";

/** `Hydrating: 1.2 GiB of 3.4 GiB, 120 of 900 files, 210 MiB/s, 11 s left`. */
export function formatHydration(report: HydrationReport): string {
  const { state, reason, bytes_done, bytes_total, files_done, files_total } = report;
  const because = reason === null ? "" : `: ${reason}`;
  const amounts = bytes_total === 0
    ? ""
    : `${formatHumanBytes(bytes_done)} of ${formatHumanBytes(bytes_total)}, ` +
      `${files_done} of ${files_total} files`;
  switch (state) {
    case "off":
      return `Not hydrating${amounts === "" ? "" : `, ${amounts} were in the diff`}`;
    case "running":
      return `Hydrating: ${amounts === "" ? "looking for what is missing" : amounts}${
        speed(report)
      }`;
    case "paused":
      return `Hydration paused${because}${amounts === "" ? "" : `; ${amounts}`}`;
    case "waiting":
      return "Hydrated: everything is in the diff directory; files that are open become plain " +
        "when they are closed";
    case "complete":
      return "Hydrated: everything is in the diff directory";
    case "incomplete":
      return `Hydrated but for ${report.files_left_out} files that cannot be read${because}`;
    case "failed":
      return `Hydration failed${because}`;
  }
}

function speed({ rate, rate_limit, time_left_s }: HydrationReport): string {
  const limit = rate_limit === null ? "" : ` (at most ${formatHumanBytes(rate_limit)}/s)`;
  const now = rate === 0 ? "" : `, ${formatHumanBytes(rate)}/s`;
  const left = time_left_s === null ? "" : `, ${formatDuration(time_left_s)} left`;
  return `${now}${limit}${left}`;
}
