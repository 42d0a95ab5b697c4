/**
 * Writes a whole tree: the one place where readers meet writers.
 *
 * @module
 */

import type {
  NamedEntry,
  ReaderContent,
  ReaderDirectory,
  ReaderEntry,
  ReaderFile,
  TreeReader,
} from "./reader.ts";
import { FirstNames } from "./first_names.ts";
import { childPath } from "./paths.ts";
import { faultingDuplicates, type TreeWriter } from "./writer.ts";

/** Patterns given on the command line of the tool that made the archive. */
const PATTERN_FILE = ".pxarexclude-cli";

/** Hears how far a transfer is. */
export interface TransferProgress {
  /** An entry is written; `path` is where it is now. The root comes first. */
  entry?(path: string, kind: ReaderEntry["kind"] | "hardlink"): void;
  /** So many bytes of a file's content more are written. */
  bytes?(count: number): void;
}

/** A directory that is being written. */
interface OpenDirectory {
  readonly path: string;
  readonly children: readonly NamedEntry[];
  next: number;
}

/**
 * Writes the tree of `reader`. The first name of a hard-linked file in the order of writing becomes
 * the file, the others become links to it: a link always follows its target, and one whose target
 * is not part of the tree becomes the file.
 *
 * Contents are passed on piece by piece; what is kept is one directory a level, and a reference for
 * each file that may have further names.
 */
export function writeTree(
  reader: TreeReader,
  writer: TreeWriter,
  progress: TransferProgress = {},
): void {
  faultingDuplicates(() => write(reader, writer, progress));
}

function write(reader: TreeReader, writer: TreeWriter, progress: TransferProgress): void {
  const written = new FirstNames();
  writer.startRoot(reader.root.metadata, reader.prelude);
  progress.entry?.("/", "directory");
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack = [open(reader.root, "/")];
  while (true) {
    const directory = stack.at(-1)!;
    const child = directory.children[directory.next++];
    if (child === undefined) {
      stack.pop();
      if (stack.length === 0) break;
      writer.finishDirectory();
      continue;
    }
    const { name, entry } = child;
    if (entry.kind === "directory") {
      const path = childPath(directory.path, name);
      writer.startDirectory(name, entry.metadata);
      progress.entry?.(path, "directory");
      stack.push(open(entry, path));
    } else if (entry.kind === "file") {
      writeFile(name, entry, directory.path, writer, written, progress);
    } else {
      writeOther(name, entry, writer);
      progress.entry?.(childPath(directory.path, name), entry.kind);
    }
  }
  writer.finish();
}

function open(directory: ReaderDirectory, path: string): OpenDirectory {
  const children = directory.children();
  return { path, children: path === "/" ? patternFileLast(children) : children, next: 0 };
}

/** The one exception to the order of names (format specification, section 4). */
function patternFileLast(children: readonly NamedEntry[]): readonly NamedEntry[] {
  const last = children.filter((child) => child.name === PATTERN_FILE);
  if (last.length === 0) return children;
  return [...children.filter((child) => child.name !== PATTERN_FILE), ...last];
}

function writeFile(
  name: string,
  file: ReaderFile,
  directoryPath: string,
  writer: TreeWriter,
  written: FirstNames,
  progress: TransferProgress,
): void {
  const earlier = written.find(file);
  if (earlier !== undefined) {
    writer.addHardlink(name, earlier.path.slice(1), earlier.value);
    progress.entry?.(childPath(directoryPath, name), "hardlink");
    return;
  }
  const reference = writer.referTo?.(name, file) ?? addContent(name, file, writer, progress);
  written.add(file, directoryPath, name, reference);
  progress.entry?.(childPath(directoryPath, name), "file");
}

function addContent(
  name: string,
  file: ReaderFile,
  writer: TreeWriter,
  progress: TransferProgress,
): number {
  const content = file.open();
  try {
    const source = new ProgressingContent(content, progress);
    return writer.addFile(name, file.metadata, file.size, source);
  } finally {
    content.close();
  }
}

/** Reads a content in order. */
class ProgressingContent {
  readonly #content: ReaderContent;
  readonly #progress: TransferProgress;
  #offset = 0;

  constructor(content: ReaderContent, progress: TransferProgress) {
    this.#content = content;
    this.#progress = progress;
  }

  read(target: Uint8Array): number {
    const count = this.#content.readAt(target, this.#offset);
    this.#offset += count;
    this.#progress.bytes?.(count);
    return count;
  }
}

function writeOther(
  name: string,
  entry: Exclude<ReaderEntry, ReaderDirectory | ReaderFile>,
  writer: TreeWriter,
): void {
  switch (entry.kind) {
    case "symlink":
      return writer.addSymlink(name, entry.metadata, entry.target);
    case "device":
      return writer.addDevice(name, entry.metadata, entry.major, entry.minor);
    case "fifo":
      return writer.addFifo(name, entry.metadata);
    case "socket":
      return writer.addSocket(name, entry.metadata);
  }
}
