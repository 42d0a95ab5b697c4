/**
 * Archives and directories by their paths, as trees for commands that look at entries.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import type { Tree } from "#src/tree/node.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { openAccessor } from "./archive_tables.ts";

/** A tree, and what messages call it. */
export interface NamedTree {
  readonly name: string;
  readonly tree: Tree;
}

/** A tree that must be closed. */
export interface OpenTree extends NamedTree, Disposable {}

/** Opens an archive. @throws {OsError} @throws {FormatError} */
export function openArchiveAsTree(archive: Pick<ArchiveInput, "openFiles">): OpenTree {
  const files = archive.openFiles();
  try {
    const tree = pxarTree(openAccessor(files));
    return { name: files.name, tree, [Symbol.dispose]: () => files[Symbol.dispose]() };
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** Opens an archive, or a directory where one has that name. */
export function openAsTree(named: ArchiveInput): OpenTree {
  const { name } = named;
  if (!isDirectory(name)) return openArchiveAsTree(named);
  return { name, tree: new LocalTree(hostFiles.realPath(name)), [Symbol.dispose]() {} };
}

/** Closes several trees. */
export function closeAll(trees: readonly Disposable[]): void {
  for (const tree of trees) tree[Symbol.dispose]();
}

/** The error for a path that a tree does not have. */
export function notFound(path: string, treeName: string): StateError {
  return new StateError("not-found", `Cannot find "${path}" in "${treeName}"`);
}

function isDirectory(path: string): boolean {
  try {
    return hostFiles.status(path)?.kind === "directory";
  } catch {
    // Opening it as an archive says what is wrong.
    return false;
  }
}
