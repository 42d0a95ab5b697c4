/**
 * Writes a whole tree: the one place where trees meet writers.
 *
 * @module
 */

import type { EntryWriter, FormerContent, NewFile, PxarSizes } from "#src/pxar/new_entry.ts";
import type { DirectoryEntry, DirectoryNode, FileNode, Node, Tree } from "#src/tree/node.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";
import { contentOf } from "./content.ts";
import { FirstNames } from "./first_names.ts";
import { childPath } from "#src/tree/paths.ts";
import { faultingDuplicates, type TreeWriter } from "./writer.ts";

/** Patterns given on the command line of the tool that made the archive. */
const PATTERN_FILE = ".pxarexclude-cli";

/** Hears how far a transfer is. */
export interface TransferProgress {
  /**
   * An entry is written; `path` is where it is now. The root comes first. @param size length of the
   * content of a file, else 0
   */
  entry?(path: string, kind: Node["kind"] | "hardlink", size: number): void;
  /** So many bytes of a file's content more are written. */
  bytes?(count: number): void;
}

/** A directory that is being written. */
interface OpenDirectory {
  readonly path: string;
  readonly children: readonly DirectoryEntry[];
  next: number;
}

/**
 * Writes a tree. The first name of a hard-linked file in the order of writing becomes
 * the file, the others become links to it: a link always follows its target, and one whose target
 * is not part of the tree becomes the file.
 *
 * Contents are passed on piece by piece; what is kept is one directory a level, and a reference for
 * each file that may have further names.
 *
 * @returns lengths of the archive, where one was written
 */
export function writeTree(
  tree: Tree,
  writer: TreeWriter,
  progress: TransferProgress = {},
): PxarSizes | undefined {
  return faultingDuplicates(() => write(tree, writer, progress));
}

function write(
  tree: Tree,
  target: TreeWriter,
  progress: TransferProgress,
): PxarSizes | undefined {
  const written = new FirstNames();
  const writer = target.startRoot(tree.root.metadata, tree.prelude);
  progress.entry?.("/", "directory", 0);
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack = [open(tree.root, "/")];
  while (true) {
    const directory = stack.at(-1)!;
    const child = directory.children[directory.next++];
    if (child === undefined) {
      stack.pop();
      if (stack.length === 0) break;
      writer.finishDirectory();
      continue;
    }
    const { name, node: entry } = child;
    if (entry.kind === "directory") {
      const path = childPath(directory.path, name);
      writer.add(name, entry);
      progress.entry?.(path, "directory", 0);
      stack.push(open(entry, path));
    } else if (entry.kind === "file") {
      writeFile(name, entry, directory.path, writer, written, progress);
    } else {
      writer.add(name, entry);
      progress.entry?.(childPath(directory.path, name), entry.kind, 0);
    }
  }
  return writer.finish();
}

function open(directory: DirectoryNode, path: string): OpenDirectory {
  const children = sortedEntries(directory);
  return { path, children: path === "/" ? patternFileLast(children) : children, next: 0 };
}

/** The one exception to the order of names. */
function patternFileLast(children: readonly DirectoryEntry[]): readonly DirectoryEntry[] {
  const last = children.filter((child) => child.name === PATTERN_FILE);
  if (last.length === 0) return children;
  return [...children.filter((child) => child.name !== PATTERN_FILE), ...last];
}

function writeFile(
  name: string,
  file: FileNode,
  directoryPath: string,
  writer: EntryWriter,
  written: FirstNames,
  progress: TransferProgress,
): void {
  const earlier = written.find(file);
  if (earlier !== undefined) {
    const targetPath = earlier.path.slice(1);
    writer.add(name, { kind: "hardlink", targetPath, target: earlier.value });
    progress.entry?.(childPath(directoryPath, name), "hardlink", 0);
    return;
  }
  const reference = writer.add(name, newFile(file, progress));
  written.add(file, directoryPath, name, reference);
  progress.entry?.(childPath(directoryPath, name), "file", file.attributes.size);
}

/** The file as writers take it. */
function newFile(file: FileNode, progress: TransferProgress): NewFile {
  const { metadata, attributes, origin, payload, linkCount } = file;
  const open = () => contentOf(file, (count) => progress.bytes?.(count));
  const common = { metadata, size: attributes.size, origin, payload, linkCount, open };
  return { kind: "file", ...common, former: formerContent(file) };
}

function formerContent({ kept }: FileNode): FormerContent | undefined {
  if (kept?.node.payload === undefined) return undefined;
  const { origin, payload } = kept.node;
  return { origin, payload, ranges: () => kept.ranges() };
}
