/**
 * An archive, or parts of it, into the file system, with progress and what could not be restored.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { join } from "node:path";
import { OsError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import type { PxarEntry } from "#src/pxar/entry.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { DescriptorTarget } from "#src/pxar/extractor/descriptor_target.ts";
import { DryTarget } from "#src/pxar/extractor/dry_target.ts";
import { extractArchive } from "#src/pxar/extractor/extract_archive.ts";
import { extractEntry, extractPaths } from "#src/pxar/extractor/extract_nodes.ts";
import type { ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import type { ExtractionOptions } from "#src/pxar/extractor/extraction.ts";
import { InTheWayError } from "#src/pxar/extractor/in_the_way.ts";
import { CREATE_HARDLINK, SET_OWNER, type TargetOptions } from "#src/pxar/extractor/options.ts";
import { PlainTarget } from "#src/pxar/extractor/plain_target.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { parseFilesFrom, parseIncludePatterns } from "#src/pxar/extractor/selection.ts";
import type { PxarAccessor } from "#src/pxar/accessor.ts";
import { joinPath, splitPath } from "#src/transfer/paths.ts";
import type { OutputFormat } from "../exit_code.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { ArchiveInput } from "#src/usecases/archive/archive_input.ts";
import { ObstacleSummary, optionFor, remedyFor } from "../output/in_the_way.ts";
import { notFound, openAccessor } from "#src/usecases/archive/archive_tables.ts";
import { openOutput, type OutputFile } from "#src/usecases/archive/output_files.ts";
import { openSpecial } from "#src/usecases/archive/special_file.ts";
import { SpecialTarget } from "#src/usecases/archive/special_target.ts";
import { errorCode, partialError, ProblemOutput } from "../output/problem_output.ts";

/** What to restore, and how. */
export interface ExtractRequest {
  readonly archive: ArchiveInput;
  /** Empty, and without {@link ExtractRequest.filesFrom}: everything. */
  readonly patterns: readonly string[];
  /** File with patterns. */
  readonly filesFrom: string | undefined;
  /** File that the prelude is written to. */
  readonly preludeTarget: string | undefined;
  readonly isDryRun: boolean;
  readonly isStrict: boolean;
  readonly isVerbose: boolean;
  readonly ignoresDeviceErrors: boolean;
  readonly report: OutputFormat;
  readonly target: TargetOptions;
}

/**
 * Restores what the patterns select into the directory `target`; from a pipe too.
 *
 * @throws {StateError} `partial` when entries could not be restored completely
 * @throws {FormatError} when the archive is damaged; what came before is restored
 */
export async function extractToTarget(
  request: ExtractRequest,
  target: string,
  terminal: Terminal,
): Promise<void> {
  const patterns = [
    ...parseIncludePatterns(request.patterns),
    ...(request.filesFrom === undefined
      ? []
      : parseFilesFrom(hostFiles.readAll(request.filesFrom))),
  ];
  using opened = new DisposableStack();
  const streams = opened.use(request.archive.openStreams());
  const { name, source, payload } = streams;
  const { knownEntries, isPipe } = request.archive;
  const openAgain = () => opened.use(request.archive.openFiles());
  const decoder = new PxarDecoder(source, { name, payload });
  const prelude = await openPrelude(request);
  if (prelude !== undefined) opened.defer(() => prelude.abort());
  run(request, terminal, (optionsFor) =>
    extractArchive(decoder, openTarget(request, target), {
      ...optionsFor(target),
      patterns,
      knownEntries,
      openAccessor: isPipe ? undefined : () => openAccessor(openAgain()),
      openTables: isPipe || source.goTo === undefined ? undefined : () => openAgain().source,
      onPrelude(bytes) {
        prelude?.sink.write(bytes);
        prelude?.finish();
      },
    }));
}

/**
 * Restores entries by random access. One of them becomes `output`, or is put into it where that is
 * a directory and the entry is none; several keep their paths below the directory `output`.
 *
 * @throws {StateError} `not-found`; `partial` when entries could not be restored completely
 */
export function extractPathsTo(
  request: ExtractRequest,
  paths: readonly string[],
  output: string,
  terminal: Terminal,
): void {
  using files = request.archive.openFiles();
  const accessor = openAccessor(files);
  const wanted = paths.map((path) => joinPath(splitPath(path)));
  const found = accessor.lookupAll(wanted);
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw notFound(wanted[missing]!, files.name);
  run(request, terminal, (optionsFor) => {
    if (wanted.length > 1) {
      return extractPaths(accessor, wanted, openTarget(request, output), optionsFor(output));
    }
    return extractOne(request, accessor, wanted[0]!, found[0]!.entry, output, optionsFor);
  });
}

/**
 * Restores entries at and below a directory of the archive, which takes the place of its root.
 *
 * @param paths relative to `from`; `/` is everything
 * @throws {StateError} `not-found`; `partial` when entries could not be restored completely
 */
export function extractBelow(
  request: ExtractRequest,
  accessor: PxarAccessor,
  from: string,
  paths: readonly string[],
  target: string,
  terminal: Terminal,
): void {
  run(
    request,
    terminal,
    (optionsFor) =>
      extractPaths(accessor, paths, openTarget(request, target), { ...optionsFor(target), from }),
  );
}

function extractOne(
  request: ExtractRequest,
  accessor: PxarAccessor,
  path: string,
  entry: PxarEntry,
  output: string,
  optionsFor: OptionsFor,
): ExtractReport {
  const special = entry.kind === "file"
    ? openSpecial({
      path: output,
      size: entry.payload.size,
      isReplacing: request.target.overwrite?.files === true,
      isDryRun: request.isDryRun,
    })
    : undefined;
  if (special !== undefined) {
    return extractEntry(accessor, path, new SpecialTarget(special), optionsFor(output));
  }
  if (entry.kind === "directory" || output.endsWith("/") || isHostDirectory(output)) {
    return extractEntry(accessor, path, openTarget(request, output), optionsFor(output));
  }
  const slash = output.lastIndexOf("/");
  const directory = slash < 0 ? "." : output.slice(0, slash + 1);
  const target = openTarget(request, directory);
  const name = output.slice(slash + 1);
  return extractEntry(accessor, path, target, { ...optionsFor(directory), name });
}

/** Options of a restore into a directory, which is where what is in the way is. */
type OptionsFor = (target: string) => ExtractionOptions;

function run(
  request: ExtractRequest,
  terminal: Terminal,
  extract: (optionsFor: OptionsFor) => ExtractReport,
): void {
  using progress = new Progress(terminal, "Restored");
  const problems = new ProblemOutput(terminal, request.report, progress);
  const obstacles = new ObstacleSummary();
  const report = telling(() =>
    extract((target) => ({
      isStrict: request.isStrict,
      ignoresDeviceErrors: request.ignoresDeviceErrors,
      onProgress: ({ path, entryCount, contentBytes }) => {
        if (request.isVerbose) problems.printPath(path);
        progress.set(entryCount, contentBytes);
      },
      onProblem: ({ path, error, severity }) => {
        const code = errorCode(error);
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
  if (request.report === "json") terminal.out(JSON.stringify(summary(report)) + "\n");
  if (report.isPartial) throw partialError(report.errorCount, "restored", obstacles);
}

/**
 * Runs what may stop at the first entry that is not restored, and says then what to do about it.
 */
function telling<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof InTheWayError)) throw error;
    const { errno, call, path } = error;
    const option = optionFor(error);
    throw new OsError(errno, call, path, {
      hint: remedyFor(error),
      option,
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

/** Where the C library may be used it restores more, and nothing can lead out of the target. */
function openTarget(request: ExtractRequest, path: string): ExtractTarget {
  if (request.isDryRun) return new DryTarget(request.target, path);
  return mayUseFfi
    ? DescriptorTarget.open(path, request.target)
    : PlainTarget.open(path, request.target);
}

/** Where the prelude goes; a file that is there already only with the same leave as any other. */
async function openPrelude(request: ExtractRequest): Promise<OutputFile | undefined> {
  const { preludeTarget: path, isDryRun, target } = request;
  if (path === undefined || isDryRun) return undefined;
  const isReplacing = target.overwrite?.files === true;
  return openSpecial({ path, size: undefined, isReplacing, isDryRun }) ??
    await openOutput(path, isReplacing);
}

function isHostDirectory(path: string): boolean {
  try {
    return isDirectory(path);
  } catch {
    return false;
  }
}
