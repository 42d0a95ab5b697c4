/**
 * A directory into an archive, with progress and what could not be read.
 *
 * @module
 */

import type { BuildOptions } from "#src/pxar/builder/options.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import type { OutputFormat } from "../exit_code.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import { createArchive } from "#src/usecases/archive/creation.ts";
import type { OutputRequest } from "#src/usecases/archive/output_files.ts";
import { partialError, ProblemOutput } from "../output/problem_output.ts";

/** What to archive, and how. */
export interface CreateRequest {
  readonly source: string;
  readonly output: OutputRequest;
  readonly report: OutputFormat;
  readonly isVerbose: boolean;
  readonly build: BuildOptions;
}

/**
 * Makes an archive, and prints progress, problems and summary.
 *
 * @throws {StateError} `partial` when entries are missing; the archive is there
 * @throws {OsError} when there is no archive
 */
export function runCreation(request: CreateRequest, terminal: Terminal): void {
  using progress = new Progress(terminal, "Archived");
  const problems = new ProblemOutput(terminal, request.report, progress);
  const report = createArchive(request.source, request.output, {
    ...request.build,
    onEntry: request.isVerbose ? (path) => problems.printPath(path) : undefined,
    onProgress: ({ entryCount, contentBytes }) => progress.set(entryCount, contentBytes),
    onProblem: ({ kind, ...problem }) => problems.print({ ...problem, code: kind }),
  });
  progress.clear();
  if (request.report === "json") printSummary(request, report, terminal);
  if (report.isPartial) throw partialError(report.errorCount, "archived");
}

function printSummary(request: CreateRequest, report: BuildReport, terminal: Terminal): void {
  const { sizes } = report;
  const summary = JSON.stringify({
    type: "summary",
    output: request.output.path,
    entries: report.entryCount,
    counts: report.counts,
    excluded: report.excludedCount,
    content_bytes: report.contentBytes,
    incomplete: report.isPartial,
    errors: report.errorCount,
    warnings: report.warningCount,
    metadata_size: sizes?.metadataSize,
    payload_size: sizes?.payloadSize,
  }) + "\n";
  // Standard output may be the archive.
  if (request.output.path === STANDARD_STREAM) terminal.err(summary);
  else terminal.out(summary);
}
