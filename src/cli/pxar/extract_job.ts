/**
 * An archive, or parts of it, into the file system, with progress and what could not be restored.
 *
 * @module
 */

import { join } from "node:path";
import { readAnyFile } from "#src/io/any_file.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { isDirectoryAt } from "#src/io/store_access.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import {
  DescriptorTarget,
  DryTarget,
  extractArchive,
  extractEntry,
  type ExtractionOptions,
  extractPaths,
  type ExtractReport,
  type ExtractTarget,
  parseFilesFrom,
  parseIncludePatterns,
  PlainTarget,
  type TargetOptions,
} from "#src/pxar/extractor/mod.ts";
import type { PxarAccessor } from "#src/pxar/accessor.ts";
import { joinPath, splitPath } from "#src/transfer/paths.ts";
import type { OutputFormat } from "../exit_code.ts";
import { Progress } from "../progress.ts";
import type { Terminal } from "../terminal.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { notFound, openAccessor } from "./listing.ts";
import { errorCode, partialError, ProblemOutput } from "./problem_output.ts";

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
export function extractToTarget(
  request: ExtractRequest,
  target: string,
  terminal: Terminal,
): void {
  const patterns = [
    ...parseIncludePatterns(request.patterns),
    ...(request.filesFrom === undefined ? [] : parseFilesFrom(readAnyFile(request.filesFrom))),
  ];
  using opened = new DisposableStack();
  const streams = opened.use(request.archive.openStreams());
  const { name, source, payload } = streams;
  const { knownEntries } = request.archive;
  const decoder = new PxarDecoder(source, { name, ...(payload === undefined ? {} : { payload }) });
  run(request, terminal, (optionsFor) =>
    extractArchive(decoder, openTarget(request, target), {
      ...optionsFor(target),
      patterns,
      ...(knownEntries === undefined ? {} : { knownEntries }),
      ...(request.archive.isPipe ? {} : {
        openAccessor: () => openAccessor(opened.use(request.archive.openFiles())),
        ...(source.goTo === undefined
          ? {}
          : { openTables: () => opened.use(request.archive.openFiles()).source }),
      }),
      onPrelude: (bytes) => writePrelude(request, bytes),
    }));
}

/**
 * Restores entries by random access. One of them becomes `output`, or is put into it where that is a directory and
 * the entry is none; several keep their paths below the directory `output`.
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
    const isDirectory = found[0]!.entry.kind === "directory";
    return extractOne(request, accessor, wanted[0]!, isDirectory, output, optionsFor);
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
  isDirectory: boolean,
  output: string,
  optionsFor: OptionsFor,
): ExtractReport {
  if (isDirectory || output.endsWith("/") || isHostDirectory(output)) {
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
  const report = extract((target) => ({
    isStrict: request.isStrict,
    ignoresDeviceErrors: request.ignoresDeviceErrors,
    onProgress: ({ path, entryCount, contentBytes }) => {
      if (request.isVerbose) problems.printPath(path);
      progress.set(entryCount, contentBytes);
    },
    onProblem: ({ path, error, severity }) => {
      const code = errorCode(error);
      const place = code === "EEXIST" ? `, "${join(target, path)}"` : "";
      problems.print({ path, severity, code, message: error.message + place });
    },
  }));
  progress.clear();
  if (request.report === "json") terminal.out(JSON.stringify(summary(report)) + "\n");
  if (report.isPartial) throw partialError(report.errorCount, "restored", problems.isInTheWay);
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
  if (request.isDryRun) return new DryTarget(request.target);
  return mayUseFfi()
    ? DescriptorTarget.open(path, request.target)
    : PlainTarget.open(path, request.target);
}

function writePrelude({ preludeTarget, isDryRun }: ExtractRequest, bytes: Uint8Array): void {
  if (preludeTarget === undefined || isDryRun) return;
  Deno.writeFileSync(preludeTarget, bytes, { mode: 0o600 });
}

function isHostDirectory(path: string): boolean {
  try {
    return isDirectoryAt(path);
  } catch {
    return false;
  }
}
