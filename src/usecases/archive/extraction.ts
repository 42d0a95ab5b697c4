/**
 * An archive, or parts of it, restored into the file system.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import type { FileSink } from "#src/io/streams.ts";
import type { PxarEntry } from "#src/pxar/entry.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { openDirectoryTarget } from "#src/pxar/extractor/directory_target.ts";
import { DryTarget } from "#src/pxar/extractor/dry_target.ts";
import { extractArchive } from "#src/pxar/extractor/extract_archive.ts";
import { extractEntry, extractPaths } from "#src/pxar/extractor/extract_nodes.ts";
import type { ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import type { ExtractionOptions } from "#src/pxar/extractor/extraction.ts";
import type { TargetOptions } from "#src/pxar/extractor/options.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { parseFilesFrom, parseIncludePatterns } from "#src/pxar/extractor/selection.ts";
import type { PxarAccessor } from "#src/pxar/accessor.ts";
import { joinPath, splitPath } from "#src/tree/paths.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { openAccessor } from "./archive_tables.ts";
import { createOutput } from "./output_files.ts";
import { openSpecial } from "./special_file.ts";
import { SpecialTarget } from "./special_target.ts";
import { notFound } from "./trees.ts";

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
  readonly ignoresDeviceErrors: boolean;
  readonly target: TargetOptions;
}

/** Callbacks of a restore into `directory`, which is where what is in the way is. */
export type ExtractCallbacks = (
  directory: string,
) => Pick<ExtractionOptions, "onProblem" | "onProgress">;

/**
 * Restores what the patterns select into the directory `target`; from a pipe too.
 *
 * @throws {InTheWayError} when strict, for the first entry that is not restored
 * @throws {FormatError} when the archive is damaged; what came before is restored
 */
export function extractToTarget(
  request: ExtractRequest,
  target: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
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
  const prelude = openPrelude(request);
  if (prelude !== undefined) opened.defer(() => prelude.abort());
  return extractArchive(decoder, openTarget(request, target), {
    ...optionsOf(request, target, callbacks),
    patterns,
    knownEntries,
    openAccessor: isPipe ? undefined : () => openAccessor(openAgain()),
    openTables: isPipe || source.goTo === undefined ? undefined : () => openAgain().source,
    onPrelude(bytes) {
      prelude?.write(bytes);
      prelude?.finish();
    },
  });
}

/**
 * Restores entries by random access. One of them becomes `output`, or is put into it where that is
 * a directory and the entry is none; several keep their paths below the directory `output`.
 *
 * @throws {StateError} `not-found`
 */
export function extractPathsTo(
  request: ExtractRequest,
  paths: readonly string[],
  output: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  using files = request.archive.openFiles();
  const accessor = openAccessor(files);
  const wanted = paths.map((path) => joinPath(splitPath(path)));
  const found = accessor.lookupAll(wanted);
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw notFound(wanted[missing]!, files.name);
  if (wanted.length === 1) {
    return extractOne(request, accessor, wanted[0]!, found[0]!.entry, output, callbacks);
  }
  const options = optionsOf(request, output, callbacks);
  return extractPaths(accessor, wanted, openTarget(request, output), options);
}

/**
 * Restores entries at and below a directory of the archive, which takes the place of its root.
 *
 * @param paths relative to `from`; `/` is everything
 * @throws {StateError} `not-found`
 */
export function extractBelow(
  request: ExtractRequest,
  accessor: PxarAccessor,
  from: string,
  paths: readonly string[],
  target: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  const options = { ...optionsOf(request, target, callbacks), from };
  return extractPaths(accessor, paths, openTarget(request, target), options);
}

function extractOne(
  request: ExtractRequest,
  accessor: PxarAccessor,
  path: string,
  entry: PxarEntry,
  output: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  const optionsFor = (directory: string) => optionsOf(request, directory, callbacks);
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

function optionsOf(
  { isStrict, ignoresDeviceErrors }: ExtractRequest,
  directory: string,
  callbacks: ExtractCallbacks,
): ExtractionOptions {
  return { isStrict, ignoresDeviceErrors, ...callbacks(directory) };
}

function openTarget(request: ExtractRequest, path: string): ExtractTarget {
  if (request.isDryRun) return new DryTarget(request.target, path);
  return openDirectoryTarget(path, request.target);
}

/** Where the prelude goes; a file that is there already only with the same leave as any other. */
function openPrelude(request: ExtractRequest): FileSink | undefined {
  const { preludeTarget: path, isDryRun, target } = request;
  if (path === undefined || isDryRun) return undefined;
  const isReplacing = target.overwrite?.files === true;
  return openSpecial({ path, size: undefined, isReplacing, isDryRun }) ??
    createOutput(path, isReplacing);
}

function isHostDirectory(path: string): boolean {
  try {
    return isDirectory(path);
  } catch {
    return false;
  }
}
