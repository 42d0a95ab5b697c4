/**
 * A directory into an archive, with progress and what could not be read.
 *
 * @module
 */

import { directoryBehind } from "#src/io/files/files.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { buildArchive, planArchive } from "#src/pxar/builder/build_archive.ts";
import { makeNativeSource } from "#src/pxar/builder/native_source.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import { makePlainSource } from "#src/pxar/builder/plain_source.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import type { OutputFormat } from "../exit_code.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { STANDARD_STREAM } from "#src/usecases/archive/archive_files.ts";
import { openOutputArchive, type OutputRequest } from "#src/usecases/archive/output_files.ts";
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
 * Makes an archive.
 *
 * @throws {StateError} `partial` when entries are missing; the archive is there
 * @throws {OsError} when there is no archive
 */
export async function createArchive(request: CreateRequest, terminal: Terminal): Promise<void> {
  using progress = new Progress(terminal, "Archived");
  const problems = new ProblemOutput(terminal, request.report, progress);
  const options: BuildOptions = {
    ...request.build,
    makeSource: mayUseFfi ? makeNativeSource : makePlainSource,
    onEntry: request.isVerbose ? (path) => problems.printPath(path) : undefined,
    onProgress: ({ entryCount, contentBytes }) => progress.set(entryCount, contentBytes),
    onProblem: ({ kind, ...problem }) => problems.print({ ...problem, code: kind }),
  };
  const report = await build(request, options);
  progress.clear();
  if (request.report === "json") printSummary(request, report, terminal);
  if (report.isPartial) throw partialError(report.errorCount, "archived");
}

async function build(request: CreateRequest, options: BuildOptions): Promise<BuildReport> {
  using output = await openOutputArchive(request.output);
  const source = directoryBehind(request.source);
  if (request.output.isDryRun) return planArchive(source, options);
  const { metadata, payload } = output;
  const sinks = { metadata, payload };
  const report = buildArchive(source, sinks, options);
  output.finish();
  return report;
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
