/**
 * Paths inside of trees, and the order of names.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { StateError, UsageError } from "#src/errors.ts";
import type { DirectoryEntry, Node, Tree } from "./node.ts";

/**
 * The names a path consists of. Slashes at the beginning and the end, double ones, and `.` mean
 * nothing.
 */
export function pathNames(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/**
 * The names a path consists of. Leading, trailing and double slashes mean nothing.
 *
 * @throws {UsageError} when a name is `.` or `..` or has a NUL inside
 */
export function splitPath(path: string): string[] {
  for (const name of path.split("/")) {
    if (name === "." || name === ".." || name.includes("\0")) {
      throw new UsageError(
        `Cannot use path "${path}": "${name}" is not a name inside of an archive`,
      );
    }
  }
  return pathNames(path);
}

/** `/a/b`; the root is `/`. */
export function joinPath(names: readonly string[]): string {
  return `/${names.join("/")}`;
}

/** Path of the child `name` of the directory at `path`. */
export function childPath(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}

/** The entry at `path`, or undefined. Symbolic links are not followed. */
export function findEntry(tree: Pick<Tree, "root">, path: string): Node | undefined {
  let entry: Node | undefined = tree.root;
  for (const name of splitPath(path)) {
    if (entry?.kind !== "directory") return undefined;
    entry = entry.lookup(name);
  }
  return entry;
}

/**
 * The entry at `path` as its directory has it, so that further names of files show as such; or
 * undefined.
 */
export function findDirectoryEntry(tree: Tree, path: string): DirectoryEntry | undefined {
  const names = splitPath(path);
  const name = names.pop();
  if (name === undefined) return { name: "", node: tree.root };
  const parent = findEntry(tree, joinPath(names));
  if (parent?.kind !== "directory") return undefined;
  if (parent.lookupEntry !== undefined) return parent.lookupEntry(name);
  const node = parent.lookup(name);
  return node && { name, node };
}

/**
 * The entries at several paths, in the order of the paths; undefined for those that are missing.
 * Directories on the way are looked up once.
 */
export function findEntries(
  tree: Tree,
  paths: readonly string[],
): (Node | undefined)[] {
  const found = new Map<string, Node | undefined>([["/", tree.root]]);
  return paths.map((path) => {
    let entry: Node | undefined = tree.root;
    let current = "/";
    for (const name of splitPath(path)) {
      current = childPath(current, name);
      if (!found.has(current)) {
        found.set(current, entry?.kind === "directory" ? entry.lookup(name) : undefined);
      }
      entry = found.get(current);
    }
    return entry;
  });
}

/**
 * The entry at `path`.
 *
 * @throws {StateError} `not-found` when there is none
 */
export function requireEntry(tree: Tree, path: string): Node {
  const entry = findEntry(tree, path);
  if (entry === undefined) {
    throw new StateError("not-found", `Cannot find "${joinPath(splitPath(path))}": no such entry`);
  }
  return entry;
}

/** Code units below this one compare like the bytes of their UTF-8 form. */
const SURROGATES = /[\ud800-\uffff]/;

/** Compares two names as memcmp(3) does with their bytes. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (!SURROGATES.test(a) || !SURROGATES.test(b)) return a < b ? -1 : 1;
  const left = encodeFileName(a);
  const right = encodeFileName(b);
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    if (left[i] !== right[i]) return left[i]! - right[i]!;
  }
  return left.length - right.length;
}
