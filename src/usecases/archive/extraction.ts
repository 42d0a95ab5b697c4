/**
 * A tree or an archive, or parts of it, restored into the file system.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import type { FileSink } from "#src/io/streams.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { openDirectoryTarget } from "#src/pxar/extractor/directory_target.ts";
import { DryTarget } from "#src/pxar/extractor/dry_target.ts";
import { extractArchive } from "#src/pxar/extractor/extract_archive.ts";
import { extractEntry, extractPaths } from "#src/pxar/extractor/extract_nodes.ts";
import type { ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import { type ExtractionOptions, factsOfEntry } from "#src/pxar/extractor/extraction.ts";
import type { TargetOptions } from "#src/pxar/extractor/options.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { parseFilesFrom, parseIncludePatterns } from "#src/pxar/extractor/selection.ts";
import type { PxarAccessor } from "#src/pxar/accessor.ts";
import { extractTree, extractTreePaths } from "#src/transfer/extract_tree.ts";
import { type EntryFacts, entryFactsOf } from "#src/tree/entry_facts.ts";
import type { Node, Tree } from "#src/tree/node.ts";
import { findEntries, joinPath, splitPath } from "#src/tree/paths.ts";
import { openAccessor } from "./archive_tables.ts";
import { createOutput } from "./output_files.ts";
import { openSpecial } from "./special_file.ts";
import { SpecialTarget } from "./special_target.ts";
import { type NamedTree, notFound, type TreeInput } from "./trees.ts";

/** What to restore, and how. */
export interface ExtractRequest {
  readonly input: TreeInput;
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
 * Restores what the patterns select into the directory `target`; of an archive in its order, from a
 * pipe too.
 *
 * @throws {InTheWayError} when strict, for the first entry that is not restored
 * @throws {FormatError} when an archive is damaged; what came before is restored
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
  const { archive } = request.input;
  const options = { ...optionsOf(request, target, callbacks), patterns };
  using opened = new DisposableStack();
  const prelude = openPrelude(request);
  if (prelude !== undefined) opened.defer(() => prelude.abort());
  const onPrelude = (bytes: Uint8Array) => {
    prelude?.write(bytes);
    prelude?.finish();
  };
  if (archive === undefined) {
    const { tree } = opened.use(request.input.openTree());
    if (tree.prelude !== undefined) onPrelude(tree.prelude);
    return extractTree(tree, openTarget(request, target), options);
  }
  const streams = opened.use(archive.openStreams());
  const { name, source, payload } = streams;
  const { knownEntries, isPipe } = archive;
  const openAgain = () => opened.use(archive.openFiles());
  const decoder = new PxarDecoder(source, { name, payload });
  return extractArchive(decoder, openTarget(request, target), {
    ...options,
    knownEntries,
    openAccessor: isPipe ? undefined : () => openAccessor(openAgain()),
    openTables: isPipe || source.goTo === undefined ? undefined : () => openAgain().source,
    onPrelude,
  });
}

/**
 * Restores entries that are looked up. One of them becomes `output`, or is put into it where that
 * is a directory and the entry is none; several keep their paths below the directory `output`.
 *
 * @throws {StateError} `not-found`
 */
export function extractPathsTo(
  request: ExtractRequest,
  paths: readonly string[],
  output: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  const { archive } = request.input;
  const wanted = paths.map((path) => joinPath(splitPath(path)));
  if (archive === undefined) {
    using open = request.input.openTree();
    return extractFromTree(request, open, wanted, output, callbacks);
  }
  using files = archive.openFiles();
  const accessor = openAccessor(files);
  const found = accessor.lookupAll(wanted);
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw notFound(wanted[missing]!, files.name);
  if (wanted.length === 1) {
    const { target, directory, ...named } = placeOf(request, factsOfEntry(found[0]!.entry), output);
    const options = { ...optionsOf(request, directory, callbacks), ...named };
    return extractEntry(accessor, wanted[0]!, target, options);
  }
  const options = optionsOf(request, output, callbacks);
  return extractPaths(accessor, wanted, openTarget(request, output), options);
}

function extractFromTree(
  request: ExtractRequest,
  { tree, name: treeName }: NamedTree,
  paths: readonly string[],
  output: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  const [node, ...more] = nodesAt(tree, paths, treeName);
  if (more.length > 0) {
    const options = { ...optionsOf(request, output, callbacks), paths };
    return extractTree(tree, openTarget(request, output), options);
  }
  const [path = "/"] = paths;
  const { target, directory, name } = placeOf(request, entryFactsOf(node!), output);
  const ownName = node!.kind === "directory" ? undefined : baseName(path);
  const options = optionsOf(request, directory, callbacks);
  return extractTreePaths(tree, [{ path, name: name ?? ownName }], target, options);
}

/**
 * Copies entries out, as cp(1) does: into `output` where that is a directory, under their own
 * names; one entry else becomes `output`. Nothing of a directory's own metadata is lost, and what
 * is in `output` already stays.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when there are several entries and no such directory
 */
export function copyOut(
  request: ExtractRequest,
  paths: readonly string[],
  output: string,
  callbacks: ExtractCallbacks,
): ExtractReport {
  using open = request.input.openTree();
  const wanted = paths.map((path) => joinPath(splitPath(path)));
  const [first, ...more] = nodesAt(open.tree, wanted, open.name);
  const isInto = isHostDirectory(output) || output.endsWith("/");
  if (more.length > 0 && !isInto) {
    throw new UsageError(`Cannot copy several entries to "${output}": it is not a directory`, {
      option: "target",
    });
  }
  const place = isInto ? undefined : placeOf(request, entryFactsOf(first!), output, true);
  const target = place?.target ?? openTarget(request, output);
  const options = optionsOf(request, place?.directory ?? output, callbacks);
  const named = wanted.map((path) => ({
    path,
    // The root has no name: its content is copied.
    name: place?.name ?? (path === "/" ? undefined : baseName(path)),
  }));
  return extractTreePaths(open.tree, named, target, options);
}

/** What is at the paths. @throws {StateError} `not-found` */
function nodesAt(tree: Tree, paths: readonly string[], treeName: string): Node[] {
  return findEntries(tree, paths).map((node, index) => {
    if (node === undefined) throw notFound(paths[index]!, treeName);
    return node;
  });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
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

/** Where one entry goes. */
interface EntryPlace {
  readonly target: ExtractTarget;
  /** Where what is in the way is. */
  readonly directory: string;
  /** Its name there, where it is not its own. */
  readonly name?: string;
}

/**
 * Where an entry goes that is to become `output`: into the device or FIFO there; into the directory
 * there, or in place of it; else to that name.
 *
 * @param isNamed a directory gets the name, too, and is not to be there
 */
function placeOf(
  request: ExtractRequest,
  entry: EntryFacts,
  output: string,
  isNamed = false,
): EntryPlace {
  const special = entry.kind === "file"
    ? openSpecial({
      path: output,
      size: entry.size,
      isReplacing: request.target.overwrite?.files === true,
      isDryRun: request.isDryRun,
    })
    : undefined;
  if (special !== undefined) return { target: new SpecialTarget(special), directory: output };
  const takesPlace = entry.kind === "directory" && !isNamed;
  if (takesPlace || output.endsWith("/") || isHostDirectory(output)) {
    return { target: openTarget(request, output), directory: output };
  }
  const slash = output.lastIndexOf("/");
  const directory = slash < 0 ? "." : output.slice(0, slash + 1);
  return { target: openTarget(request, directory), directory, name: output.slice(slash + 1) };
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
    createOutput(path, { isReplacing });
}

function isHostDirectory(path: string): boolean {
  try {
    return isDirectory(path);
  } catch {
    return false;
  }
}
