/**
 * Which entries of an archive `ls` shows, and in which order.
 *
 * Without paths the archive is read from beginning to end, so that damage anywhere is noticed, and
 * behind it is gone on by the tables; with paths it is looked up in the tables, and nothing else is
 * read.
 *
 * @module
 */

import type { PxarAccessor, PxarChild, PxarNode } from "#src/pxar/accessor.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { DamagePath } from "#src/pxar/damage_path.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { compareNames, joinPath, splitPath } from "#src/tree/paths.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { notFound, openAccessor } from "./archive_tables.ts";
import { PayloadCheck } from "./payload_check.ts";

/** What to list. */
export interface ListingRequest {
  readonly archive: ArchiveInput;
  /** Empty for the whole archive. */
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
export function listArchive(request: ListingRequest, output: EntrySink): void {
  if (request.paths.length === 0 || request.archive.isPipe) {
    listInOrder(request, output);
  } else {
    using files = request.archive.openFiles();
    listByTables(openAccessor(files), files.name, request, output);
  }
}

/** Where the entries go, one after another. */
export interface EntrySink {
  /** Takes an entry; `name` is its own name, or what stands for it. */
  print(path: string, name: string, entry: PxarEntry | PxarHardlink): void;
  /** The text of an entry that has to wait: it takes less memory than the entry. */
  text(path: string, name: string, entry: PxarEntry | PxarHardlink): string;
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

function listInOrder(request: ListingRequest, output: EntrySink): void {
  using streams = request.archive.openStreams();
  const { name: archive, payload } = streams;
  const decoder = new PxarDecoder(streams.source, {
    name: archive,
    payload,
  });
  const paths = request.paths.length === 0 ? ["/"] : request.paths;
  const wanted = paths.map((path): Wanted => ({ path: joinPath(splitPath(path)), isFound: false }));
  // One directory's names are sorted; a whole archive may not fit into memory and keeps its order.
  const unsorted: Line[] = [];
  const payloads = new PayloadCheck(decoder, streams);
  using opened = new DisposableStack();
  const { isPipe, knownEntries } = request.archive;
  const { damages } = output;
  const damagePath = new DamagePath(decoder, {
    fail: (path, damage) => damages.print(path, damage),
    lose: (path, damage) => damages.print(path, damage),
  }, {
    knownEntries,
    openTables: isPipe || streams.source.goTo === undefined
      ? undefined
      : () => opened.use(request.archive.openFiles()).source,
    passesMalformed: true,
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
      if (request.isRecursive) output.print(path, path, entry);
      else unsorted.push({ key: path, text: output.text(path, name, entry) });
    }
  } finally {
    printSorted(unsorted, output);
  }
  const missing = wanted.find((each) => !each.isFound);
  if (missing !== undefined && damages.count === 0) throw notFound(missing.path, archive);
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

/**
 * Lists what is at paths, by looking it up; `name` is what messages call the archive. @throws
 * {StateError} `not-found`
 */
export function listByTables(
  accessor: PxarAccessor,
  name: string,
  request: Pick<ListingRequest, "paths" | "isRecursive">,
  output: EntrySink,
): void {
  const { damages } = output;
  const paths = request.paths.map((path) => joinPath(splitPath(path)));
  const found = paths.map((path) => accessor.lookupChild(path));
  const missing = found.indexOf(undefined);
  if (missing >= 0) throw notFound(paths[missing]!, name);
  found.forEach((child, index) => {
    const path = paths[index]!;
    if (child!.entry.kind !== "directory") output.print(path, child!.name, child!.entry);
    else if (request.isRecursive) printTree(accessor, path, child as PxarNode, output);
    else {
      const onDamage = (damage: Error) => damages.print(path, damage);
      const children = accessor.readDirectory(child as PxarNode, onDamage);
      const lines = Array.from(children, ({ name, entry }) => {
        return { key: name, text: output.text(childPath(path, name), name, entry) };
      });
      printSorted(lines, output);
    }
  });
  damages.finish("listed");
}

function printTree(
  accessor: PxarAccessor,
  path: string,
  top: PxarNode,
  output: EntrySink,
): void {
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack: { path: string; child: PxarChild }[] = [{ path, child: top }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { path, child } = next;
    output.print(path, path, child.entry);
    if (child.entry.kind !== "directory") continue;
    const onDamage = (damage: Error) => output.damages.print(path, damage);
    const children = [...accessor.readDirectory(child as PxarNode, onDamage)]
      .sort((a, b) => compareNames(b.name, a.name));
    for (const entry of children) {
      stack.push({ path: childPath(path, entry.name), child: entry });
    }
  }
}

function childPath(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}
