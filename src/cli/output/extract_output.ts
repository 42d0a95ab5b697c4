/**
 * The restore of an archive as it is reported: progress, problems, summary.
 *
 * @module
 */

import { join } from "node:path";
import { OsError, toRecord } from "#src/errors.ts";
import { InTheWayError } from "#src/pxar/extractor/in_the_way.ts";
import { CREATE_HARDLINK, SET_OWNER } from "#src/pxar/extractor/options.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import type { ExtractCallbacks } from "#src/usecases/archive/extraction.ts";
import type { OutputFormat } from "../exit_code.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { ObstacleSummary, optionFor, remedyFor } from "./obstacle_output.ts";
import { partialError, ProblemOutput } from "./problem_output.ts";

/** How a restore is reported. */
export interface ExtractOutput {
  readonly format: OutputFormat;
  /** Prints the path of each entry. */
  readonly isVerbose: boolean;
}

/**
 * Runs a restore and prints its progress, problems and end.
 *
 * @throws {StateError} `partial` when entries could not be restored completely
 * @throws what `extract` throws
 */
export function reportExtraction(
  { format, isVerbose }: ExtractOutput,
  terminal: Terminal,
  extract: (callbacks: ExtractCallbacks) => ExtractReport,
): void {
  using progress = new Progress(terminal, "Restored");
  const problems = new ProblemOutput(terminal, format, progress);
  const obstacles = new ObstacleSummary();
  const report = withRemedy(() =>
    extract((target) => ({
      onProgress: ({ path, entryCount, contentBytes }) => {
        if (isVerbose) problems.printPath(path);
        progress.set(entryCount, contentBytes);
      },
      onProblem: ({ path, error, severity }) => {
        const code = toRecord(error).code;
        const isInTheWay = error instanceof InTheWayError;
        if (isInTheWay) obstacles.add(error);
        const place = isInTheWay ? `, "${join(target, path)}" (${remedyFor(error)})` : "";
        const message = error.message + place + explain(error, severity);
        const option = isInTheWay ? optionFor(error) : undefined;
        problems.print({ path, severity, code, message, option });
      },
    }))
  );
  progress.clear();
  if (format === "json") terminal.out(JSON.stringify(summary(report)) + "\n");
  if (report.isPartial) throw partialError(report.errorCount, "restored", obstacles);
}

/** Adds to the error of a strict restore, for what is in the way, what to do about it. */
function withRemedy<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof InTheWayError)) throw error;
    const { errno, call, path } = error;
    throw new OsError(errno, call, path, {
      hint: remedyFor(error),
      option: optionFor(error),
      cause: error,
    });
  }
}

/** What else to say of a problem. */
function explain(error: Error, severity: "error" | "warning"): string {
  if (!(error instanceof OsError)) return "";
  const { code, call } = error;
  if (code === "EPERM" && call === SET_OWNER) {
    return "; this user cannot give away what follows either (--no-owner leaves owners out)";
  }
  if (code === "EPERM" && call === "replace") {
    return "; attributes forbid it (lsattr shows them, chattr -i -a removes them), or its directory is sticky";
  }
  return call === CREATE_HARDLINK && severity === "warning"
    ? "; it becomes a copy of the file instead"
    : "";
}

function summary(report: ExtractReport): Record<string, unknown> {
  return {
    type: "summary",
    entries: report.entryCount,
    counts: report.counts,
    skipped: report.skippedCount,
    content_bytes: report.contentBytes,
    errors: report.errorCount,
    warnings: report.warningCount,
  };
}
