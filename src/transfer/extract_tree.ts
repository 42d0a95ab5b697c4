/**
 * Any tree, or parts of it, restored into the file system: entry by entry through the targets that
 * archives are restored by.
 *
 * @module
 */

import { Failure, StateError } from "#src/errors.ts";
import type { PathPattern } from "#src/pxar/exclude/pattern.ts";
import type { ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import {
  Extraction,
  type ExtractionOptions,
  type LinkLeave,
  type ReadNext,
} from "#src/pxar/extractor/extraction.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { EntrySelection } from "#src/pxar/extractor/selection.ts";
import { ContentChecksum } from "#src/tree/content_checksum.ts";
import { entryFactsOf } from "#src/tree/entry_facts.ts";
import type { DirectoryNode, FileContent, FileNode, Node, Tree } from "#src/tree/node.ts";
import { childPath, findEntry } from "#src/tree/paths.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";
import { FirstNames } from "./first_names.ts";

/** How a whole tree is restored. */
export interface ExtractTreeOptions extends ExtractionOptions {
  /**
   * Restores only what they select, and the directories on the way. A selected directory brings its
   * content. Default: everything.
   */
  readonly patterns?: readonly PathPattern[];
  /** Restores only what is at these paths (`/a/b`), in place of patterns. */
  readonly paths?: readonly string[] | undefined;
}

/** An entry that is restored under a name. */
export interface ExtractedPath {
  /** Path in the tree. */
  readonly path: string;
  /** Its name in the target directory; undefined: its content goes into the target itself. */
  readonly name: string | undefined;
}

const LINK: LinkLeave = { isTargetSelected: true, mayCopy: true };

/**
 * Restores a tree into `target`, which gets the metadata of the root, and is closed then.
 *
 * @throws {OsError} when the tree cannot be read
 * @throws in strict mode, the first error of an entry
 */
export function extractTree(
  tree: Tree,
  target: ExtractTarget,
  options: ExtractTreeOptions = {},
): ExtractReport {
  const selection = options.paths === undefined
    ? new EntrySelection(options.patterns ?? [])
    : new ChosenPaths(options.paths);
  return new Extraction(target, options, true).run((extraction) => {
    extraction.beginRoot(tree.root.metadata);
    const isSelected = selection.selects("/", true, false);
    new Walk(extraction, selection).below(tree.root, "/", "/", isSelected);
    extraction.leaveDirectory();
  });
}

/**
 * Restores entries of a tree, with all that is in them, into `target`, which is closed then. It
 * stays as it is, unless it takes the place of a directory.
 *
 * @throws {StateError} `not-found`
 * @throws what {@link extractTree} throws
 */
export function extractTreePaths(
  tree: Tree,
  paths: readonly ExtractedPath[],
  target: ExtractTarget,
  options: ExtractionOptions = {},
): ExtractReport {
  const everything = new EntrySelection([]);
  return new Extraction(target, options, true).run((extraction) => {
    const found = paths.map(({ path, name }) => {
      const node = findEntry(tree, path);
      if (node === undefined) throw notFound(path);
      return { path, name, node };
    });
    const whole = found.find(({ name }) => name === undefined);
    extraction.beginRoot(whole?.node.metadata);
    const walk = new Walk(extraction, everything);
    for (const { path, name, node } of found) {
      if (name !== undefined) walk.entry(node, name, path, `/${name}`, true);
      else if (node.kind === "directory") walk.below(node, path, "/", true);
    }
    extraction.leaveDirectory();
  });
}

function notFound(path: string): StateError {
  return new StateError("not-found", `Cannot find "${path}": no such entry`);
}

/** Which entries are restored. */
interface Selection {
  selects(path: string, isDirectory: boolean, isParentSelected: boolean): boolean;
  /** Whether something in a directory may be selected that is not selected itself. Default: yes. */
  leadsTo?(path: string): boolean;
}

class ChosenPaths implements Selection {
  readonly #chosen: ReadonlySet<string>;
  readonly #onTheWay = new Set<string>();

  constructor(paths: readonly string[]) {
    this.#chosen = new Set(paths);
    for (const path of paths) {
      for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
        this.#onTheWay.add(path.slice(0, end));
      }
    }
  }

  selects(path: string, _isDirectory: boolean, isParentSelected: boolean): boolean {
    return isParentSelected || this.#chosen.has(path);
  }

  leadsTo(path: string): boolean {
    return this.#onTheWay.has(path);
  }
}

/** A directory that is being restored. */
interface Level {
  readonly path: string;
  readonly place: string;
  readonly isSelected: boolean;
  readonly children: Iterator<{ readonly name: string; readonly node: Node }>;
}

/** Tells an extraction of entries. */
class Walk {
  readonly #extraction: Extraction;
  readonly #selection: Selection;
  readonly #restored = new FirstNames();

  constructor(extraction: Extraction, selection: Selection) {
    this.#extraction = extraction;
    this.#selection = selection;
  }

  /** One entry. @param place its path in the target, which has a directory for it */
  entry(node: Node, name: string, path: string, place: string, isSelected: boolean): void {
    if (node.kind !== "directory") return this.#leaf(node, name, place, isSelected);
    this.#extraction.enterDirectory(name, place, node.metadata, isSelected);
    this.below(node, path, place, isSelected);
    this.#extraction.leaveDirectory();
  }

  /** Everything in a directory. A stack of its own, so that deep trees cannot exhaust another. */
  below(directory: DirectoryNode, path: string, place: string, isSelected: boolean): void {
    const stack = [this.#open(directory, path, place, isSelected)];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const next = level.children.next();
      if (next.done === true) {
        stack.pop();
        if (stack.length > 0) this.#extraction.leaveDirectory();
        continue;
      }
      const { name, node } = next.value;
      const [from, to] = [childPath(level.path, name), childPath(level.place, name)];
      const isDirectory = node.kind === "directory";
      const isChosen = this.#selection.selects(from, isDirectory, level.isSelected);
      if (isDirectory && !isChosen && this.#selection.leadsTo?.(from) === false) {
        this.#extraction.skip();
      } else if (isDirectory) {
        this.#extraction.enterDirectory(name, to, node.metadata, isChosen);
        stack.push(this.#open(node, from, to, isChosen));
      } else this.#leaf(node, name, to, isChosen);
    }
  }

  #open(directory: DirectoryNode, path: string, place: string, isSelected: boolean): Level {
    return { path, place, isSelected, children: this.#childrenOf(directory, place) };
  }

  /** Those that can be read; of the others the report knows. */
  *#childrenOf(directory: DirectoryNode, place: string) {
    const lose = (path: string, error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      this.#extraction.lose(path, error);
    };
    let entries: ReturnType<typeof sortedEntries>;
    try {
      entries = sortedEntries(directory, (damage) => this.#extraction.fail(place, damage));
    } catch (error) {
      return lose(place, error);
    }
    for (const entry of entries) {
      let node: Node;
      try {
        node = entry.node;
      } catch (error) {
        lose(childPath(place, entry.name), error);
        continue;
      }
      yield { name: entry.name, node };
    }
  }

  #leaf(node: Node, name: string, place: string, isSelected: boolean): void {
    if (!isSelected) return this.#extraction.skip();
    if (node.kind !== "file") {
      this.#extraction.restoreEntry(name, place, entryFactsOf(node), () => 0);
      return;
    }
    const first = this.#restored.find(node)?.path;
    if (
      first !== undefined && this.#extraction.restoreHardlink(name, place, first.slice(1), LINK)
    ) {
      return;
    }
    using reader = new ContentReader(node);
    const isDone = this.#extraction.restoreEntry(name, place, entryFactsOf(node), reader.read);
    if (!isDone || first !== undefined) return;
    const directory = place.slice(0, place.length - name.length - 1);
    this.#restored.add(node, directory === "" ? "/" : directory, name, 0);
  }
}

/**
 * Reads a file from its beginning; it is opened with the first byte, and compared with the checksum
 * that its backup has of it before the last ones are given out.
 */
class ContentReader implements Disposable {
  readonly #file: FileNode;
  #content: FileContent | undefined;
  readonly #checksum: ContentChecksum | undefined;
  #offset = 0;

  constructor(file: FileNode) {
    this.#file = file;
    this.#checksum = ContentChecksum.of(file);
  }

  readonly read: ReadNext = (target, start, size) => {
    this.#content ??= this.#file.open();
    const count = this.#content.readInto(target, start, size, this.#offset);
    this.#checksum?.add(target.bytes, this.#offset, count, start);
    this.#offset += count;
    return count;
  };

  [Symbol.dispose](): void {
    this.#content?.close();
  }
}
