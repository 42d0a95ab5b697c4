/**
 * Directories of an archive: names and kinds, by whatever lists them fastest.
 *
 * @module
 */

import type { DirectoryNode, Tree } from "#src/tree/node.ts";
import { childPath, compareNames, findDirectoryEntry, splitPath } from "#src/tree/paths.ts";
import { isDirectoryEntry } from "./shown_entry.ts";

/** A name in a directory. */
export interface ShellEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Lists directories of an archive. */
export interface Listing {
  /** Whether there is a directory at `path`; undefined when nothing is there. */
  isDirectory(path: string): boolean | undefined;
  /** Names in ascending byte order. The path must be that of a directory. */
  list(path: string): readonly ShellEntry[];
}

/** An entry met on a walk. */
export interface WalkedEntry {
  /** `/a/b` */
  readonly path: string;
  readonly isDirectory: boolean;
}

/**
 * Directories of the tree itself.
 *
 * @param onDamage called for those that may hold more than is listed
 */
export function listByTree(
  tree: Tree,
  onDamage: (path: string, damage: Error) => void,
): Listing {
  return {
    isDirectory(path) {
      const entry = findDirectoryEntry(tree, path);
      return entry && isDirectoryEntry(entry);
    },
    list(path) {
      const directory = findDirectoryEntry(tree, path)!.node as DirectoryNode;
      const entries = directory.entries((damage) => onDamage(path, damage));
      return Array.from(entries, (entry) => {
        return { name: entry.name, isDirectory: isDirectoryEntry(entry) };
      }).sort((a, b) => compareNames(a.name, b.name));
    },
  };
}

/** Everything below a directory, a directory before what is in it. */
export function* walkListing(listing: Listing, top: string): Generator<WalkedEntry> {
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack: WalkedEntry[] = childrenOf(listing, top);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    if (next.isDirectory) stack.push(...childrenOf(listing, next.path));
  }
}

/** In descending order: the last one is taken first. */
function childrenOf(listing: Listing, path: string): WalkedEntry[] {
  return listing.list(path).map(({ name, isDirectory }) => ({
    path: childPath(path, name),
    isDirectory,
  })).reverse();
}

/**
 * The path that `text` means in the directory `current`: `.` and `..` as in a shell, never above
 * the root.
 */
export function resolvePath(current: string, text: string): string {
  const names = text.startsWith("/") ? [] : splitPath(current);
  for (const name of text.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** The path below `top`, with a slash in front. The path must be there. */
export function pathBelow(top: string, path: string): string {
  return top === "/" ? path : path.slice(top.length);
}
