/**
 * Which entries of a tree or archive `ls` shows, and in which order.
 *
 * Without paths an archive is read from beginning to end, so that damage anywhere is noticed, and
 * behind it is gone on by the tables; with paths, and in what is no archive, entries are looked up,
 * and nothing else is read.
 *
 * @module
 */

import { DamagePath } from "#src/pxar/damage_path.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import type { DirectoryEntry, DirectoryNode } from "#src/tree/node.ts";
import {
  childPath,
  compareNames,
  findDirectoryEntry,
  joinPath,
  splitPath,
} from "#src/tree/paths.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { isDirectoryEntry, type ShownEntry, shownEntry, shownPxarEntry } from "./shown_entry.ts";
import { PayloadCheck } from "./payload_check.ts";
import { type NamedTree, notFound, type TreeInput } from "./trees.ts";

/** What to list. */
export interface ListingRequest {
  readonly input: TreeInput;
  /** Empty for all there is. */
  readonly paths: readonly string[];
  /** Everything below a directory instead of its children. */
  readonly isRecursive: boolean;
}

/**
 * Lists entries.
 *
 * @throws {FormatError} when the archive is damaged
 * @throws {StateError} `not-found` when a path is not in it
 */
export function listEntries(request: ListingRequest, output: EntrySink): void {
  const { input, paths, isRecursive } = request;
  const { archive } = input;
  if (archive !== undefined && (paths.length === 0 || archive.isPipe)) {
    listInOrder(archive, request, output);
  } else {
    using open = input.openTree();
    listTree(open, { paths: paths.length === 0 ? ["/"] : paths, isRecursive }, output);
  }
}

/** Where the entries go, one after another. */
export interface EntrySink {
  /** Takes an entry; `name` is its own name, or what stands for it. */
  print(path: string, name: string, entry: ShownEntry): void;
  /** The text of an entry that has to wait: it takes less memory than the entry. */
  text(path: string, name: string, entry: ShownEntry): string;
  /** Takes what {@link text} returned. */
  printText(text: string): void;
  /** What cannot be read. */
  readonly damages: {
    readonly count: number;
    print(path: string, damage: Error): void;
    /** @throws {StateError} `partial` when there was damage */
    finish(done: string): void;
  };
}

/** An entry that waits for others to be printed before it. */
interface Line {
  /** What lines are sorted by: names, or paths. */
  readonly key: string;
  readonly text: string;
}

function printSorted(lines: Line[], output: EntrySink): void {
  lines.sort((a, b) => compareNames(a.key, b.key));
  for (const { text } of lines) output.printText(text);
}

/** One path asked for, while an archive is read in order. */
interface Wanted {
  readonly path: string;
  isFound: boolean;
}

function listInOrder(archive: ArchiveInput, request: ListingRequest, output: EntrySink): void {
  using streams = archive.openStreams();
  const { name, payload } = streams;
  const decoder = new PxarDecoder(streams.source, { name, payload });
  const paths = request.paths.length === 0 ? ["/"] : request.paths;
  const wanted = paths.map((path): Wanted => ({ path: joinPath(splitPath(path)), isFound: false }));
  // One directory's names are sorted; a whole archive may not fit into memory and keeps its order.
  const unsorted: Line[] = [];
  const payloads = new PayloadCheck(decoder, streams);
  using opened = new DisposableStack();
  const { isPipe, knownEntries } = archive;
  const { damages } = output;
  const damagePath = new DamagePath(decoder, {
    fail: (path, damage) => damages.print(path, damage),
    lose: (path, damage) => damages.print(path, damage),
    misread: (path, damage) => damages.print(path, damage),
  }, {
    knownEntries,
    openTables: isPipe || streams.source.goTo === undefined
      ? undefined
      : () => opened.use(archive.openFiles()).source,
  });
  const next = () => damagePath.next(() => {});
  try {
    for (let event = next(); event !== undefined; event = next()) {
      if (event.type !== "entry") continue;
      const { path, name, entry } = event;
      const damage = payloads.check(entry);
      if (damage !== undefined) damages.print(path, damage);
      const isDirectory = entry.kind === "directory";
      const isShown = wanted.map((each) => isListed(each, path, isDirectory, request));
      if (!isShown.includes(true)) continue;
      const listed = shownPxarEntry(entry);
      if (request.isRecursive) output.print(path, path, listed);
      else unsorted.push({ key: path, text: output.text(path, name, listed) });
    }
  } finally {
    printSorted(unsorted, output);
  }
  const missing = wanted.find((each) => !each.isFound);
  if (missing !== undefined && damages.count === 0) throw notFound(missing.path, name);
  damages.finish("listed");
}

/** Whether the entry at `path` is shown because of `wanted`. */
function isListed(
  wanted: Wanted,
  path: string,
  isDirectory: boolean,
  { isRecursive }: ListingRequest,
): boolean {
  if (path === wanted.path) {
    wanted.isFound = true;
    return isRecursive || !isDirectory;
  }
  const prefix = wanted.path === "/" ? "/" : `${wanted.path}/`;
  return path.startsWith(prefix) && (isRecursive || !path.includes("/", prefix.length));
}

/** Lists what is at paths, by looking it up. @throws {StateError} `not-found` */
export function listTree(
  { tree, name }: NamedTree,
  request: Pick<ListingRequest, "paths" | "isRecursive">,
  output: EntrySink,
): void {
  const paths = request.paths.map((path) => joinPath(splitPath(path)));
  const found = paths.map((path) => findDirectoryEntry(tree, path));
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw notFound(paths[missing]!, name);
  found.forEach((entry, index) => {
    const path = paths[index]!;
    if (!isDirectoryEntry(entry!)) output.print(path, entry!.name, shownEntry(entry!));
    else if (request.isRecursive) printBelow(path, entry!, output);
    else {
      const children = entriesOf(path, entry!, output);
      const lines = Array.from(children, (child) => {
        const text = output.text(childPath(path, child.name), child.name, shownEntry(child));
        return { key: child.name, text };
      });
      printSorted(lines, output);
    }
  });
  output.damages.finish("listed");
}

function printBelow(path: string, top: DirectoryEntry, output: EntrySink): void {
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack = [{ path, entry: top }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { path, entry } = next;
    output.print(path, path, shownEntry(entry));
    if (!isDirectoryEntry(entry)) continue;
    const children = [...entriesOf(path, entry, output)]
      .sort((a, b) => compareNames(b.name, a.name));
    for (const child of children) stack.push({ path: childPath(path, child.name), entry: child });
  }
}

function entriesOf(path: string, { node }: DirectoryEntry, output: EntrySink) {
  return (node as DirectoryNode).entries((damage) => output.damages.print(path, damage));
}
