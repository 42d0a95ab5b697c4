/**
 * Walks through trees, one entry at a time.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { PathPattern } from "#src/pxar/exclude/pattern.ts";
import { childPath, joinPath, requireEntry, splitPath } from "#src/tree/paths.ts";
import type { DirectoryEntry, Node, Tree } from "#src/tree/node.ts";
import { hearingDamage } from "./damage_hearing.ts";

/** Types of entries as bits of {@link WalkOptions.types}. */
export const EntryTypes = {
  FILE: 1,
  DIRECTORY: 2,
  SYMLINK: 4,
  DEVICE: 8,
  FIFO: 16,
  SOCKET: 32,
  ALL: 63,
} as const;

const TYPE_OF_KIND: Readonly<Record<Node["kind"], number>> = {
  file: EntryTypes.FILE,
  directory: EntryTypes.DIRECTORY,
  symlink: EntryTypes.SYMLINK,
  device: EntryTypes.DEVICE,
  fifo: EntryTypes.FIFO,
  socket: EntryTypes.SOCKET,
};

/** Which entries a walk shows. What hides a directory does not hide what is in it. */
export interface WalkOptions {
  /** Where to start; the root unless given. The entry there comes first. */
  readonly from?: string;
  /** Bits of {@link EntryTypes}; all unless given. */
  readonly types?: number;
  /**
   * Shows entries whose path matches: the language of exclude patterns, so `*.conf` matches at
   * every depth.
   */
  readonly glob?: string | undefined;
  /** Shows entries for which this is true. */
  readonly filter?: (path: string, entry: Node) => boolean;
  /**
   * Hears of a directory that may hold more than could be read, or of an entry that cannot be read;
   * unless given, that ends the walk.
   */
  readonly onDamage?: (path: string, damage: Error) => void;
  /** Passes over this many of the entries that would be shown. */
  readonly skip?: number;
}

/** An entry met on a walk. */
export interface WalkStep {
  /** `/` for the root, else `/a/b`. */
  readonly path: string;
  /** Last part of the path; empty for the root. */
  readonly name: string;
  /** Number of names in the path. */
  readonly depth: number;
  /** The entry at `path`; its content can be opened as long as the tree is. */
  readonly entry: Node;
  /** Leaves out what is in this directory. To be called before the walk goes on. */
  skipChildren(): void;
}

interface Level {
  readonly path: string;
  readonly depth: number;
  readonly children: readonly DirectoryEntry[];
  next: number;
}

/**
 * Visits a directory before what is in it, entries in ascending byte order of their names. Reads
 * metadata only, and each directory when it is reached; who has seen enough stops.
 *
 * @throws {StateError} `not-found` when there is nothing at {@link WalkOptions.from}
 * @throws {UsageError} `bad-pattern` when the glob is malformed
 *
 * @example
 * ```ts
 * import { memoryDirectory, memoryFile, MemoryTree } from "@pbkfs/pbkfs/tree";
 * import { EntryTypes, walkEntries } from "@pbkfs/pbkfs/transfer";
 *
 * const tree = new MemoryTree(memoryDirectory({ a: memoryFile("x") }));
 * const files = walkEntries(tree, { types: EntryTypes.FILE });
 * console.log([...files].map(({ path }) => path)); // [ "/a" ]
 * ```
 */
export function* walkEntries(
  tree: Tree,
  options: WalkOptions = {},
): Generator<WalkStep, void, undefined> {
  const isShown = makeFilter(options);
  const hearing = hearingDamage(options.onDamage);
  const names = splitPath(options.from ?? "/");
  const start = requireEntry(tree, joinPath(names));
  let toSkip = options.skip ?? 0;
  const stack: Level[] = [];
  let path = joinPath(names);
  let depth = names.length;
  let name = names.at(-1) ?? "";
  let entry: Node | undefined = start;
  while (true) {
    let descends = entry?.kind === "directory";
    if (entry !== undefined && isShown(path, entry) && toSkip-- <= 0) {
      yield { path, name, depth, entry, skipChildren: () => descends = false };
    }
    if (entry?.kind === "directory" && descends) {
      stack.push({ path, depth, children: hearing.entriesOf(path, entry), next: 0 });
    }
    while (stack.length > 0 && stack.at(-1)!.next === stack.at(-1)!.children.length) stack.pop();
    const level = stack.at(-1);
    if (level === undefined) return;
    const child = level.children[level.next++]!;
    name = child.name;
    path = childPath(level.path, name);
    depth = level.depth + 1;
    entry = hearing.readable(path, () => child.node);
  }
}

function makeFilter(options: WalkOptions): (path: string, entry: Node) => boolean {
  const { types = EntryTypes.ALL, filter } = options;
  const pattern = options.glob === undefined ? undefined : PathPattern.parse(options.glob);
  return (path, entry) => {
    if ((types & TYPE_OF_KIND[entry.kind]) === 0) return false;
    if (pattern !== undefined) {
      const bytes = encodeFileName(path);
      if (!pattern.matches(bytes, bytes.length, entry.kind === "directory")) return false;
    }
    return filter === undefined || filter(path, entry);
  };
}
