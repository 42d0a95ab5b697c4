/**
 * Writes a whole tree: the one place where readers meet writers.
 *
 * @module
 */

import type { EntryWriter, NewFile } from "#src/pxar/new_entry.ts";
import type { NamedEntry, ReaderDirectory, ReaderEntry, ReaderFile, TreeReader } from "./reader.ts";
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

function write(reader: TreeReader, target: TreeWriter, progress: TransferProgress): void {
  const written = new FirstNames();
  const writer = target.startRoot(reader.root.metadata, reader.prelude);
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
      writer.add(name, entry);
      progress.entry?.(path, "directory");
      stack.push(open(entry, path));
    } else if (entry.kind === "file") {
      writeFile(name, entry, directory.path, writer, written, progress);
    } else {
      writer.add(name, entry);
      progress.entry?.(childPath(directory.path, name), entry.kind);
    }
  }
  writer.finish();
}

function open(directory: ReaderDirectory, path: string): OpenDirectory {
  const children = directory.children();
  return { path, children: path === "/" ? patternFileLast(children) : children, next: 0 };
}

/** The one exception to the order of names. */
function patternFileLast(children: readonly NamedEntry[]): readonly NamedEntry[] {
  const last = children.filter((child) => child.name === PATTERN_FILE);
  if (last.length === 0) return children;
  return [...children.filter((child) => child.name !== PATTERN_FILE), ...last];
}

function writeFile(
  name: string,
  file: ReaderFile,
  directoryPath: string,
  writer: EntryWriter,
  written: FirstNames,
  progress: TransferProgress,
): void {
  const earlier = written.find(file);
  if (earlier !== undefined) {
    const targetPath = earlier.path.slice(1);
    writer.add(name, { kind: "hardlink", targetPath, target: earlier.value });
    progress.entry?.(childPath(directoryPath, name), "hardlink");
    return;
  }
  const reference = writer.add(name, progress.bytes === undefined ? file : watched(file, progress));
  written.add(file, directoryPath, name, reference);
  progress.entry?.(childPath(directoryPath, name), "file");
}

/** A file that tells how far its content is read. */
function watched(file: ReaderFile, progress: TransferProgress): NewFile {
  const { metadata, size, origin, payload } = file;
  const open = () => {
    const content = file.open();
    return {
      readAt(target: Uint8Array, offset: number) {
        const count = content.readAt(target, offset);
        progress.bytes?.(count);
        return count;
      },
      close: () => content.close(),
    };
  };
  return { kind: "file", metadata, size, origin, payload, open };
}
