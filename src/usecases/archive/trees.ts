/**
 * What commands look for entries in: trees, of whatever they are.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import type { Source } from "#src/sources/source.ts";
import type { Tree } from "#src/tree/node.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { openAccessor } from "./archive_tables.ts";

/** A tree, and what messages call it. */
export interface NamedTree {
  readonly name: string;
  readonly tree: Tree;
}

/** A tree that must be closed. */
export interface OpenTree extends NamedTree, Disposable {}

/** What entries are read of. */
export interface TreeInput {
  /** What messages call it. */
  readonly name: string;
  /**
   * Opens it to look entries up.
   *
   * @throws {UsageError} for an archive that comes through a pipe
   * @throws what opening it throws
   */
  openTree(): OpenTree;
  /** The archive that it is, which can be read in order; undefined for what is none. */
  readonly archive: ArchiveInput | undefined;
}

/** The entries of an archive. */
export function treeOfArchive(archive: ArchiveInput): TreeInput {
  return { name: archive.name, openTree: () => openArchiveAsTree(archive), archive };
}

/** The entries of a source, which stays open longer. */
export function treeOfSource({ description: { name }, openTree, archive }: Source): TreeInput {
  return {
    name,
    openTree() {
      const tree = openTree();
      return { name, tree, [Symbol.dispose]: () => tree.close() };
    },
    archive,
  };
}

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

/** The entries of an archive, or of a directory where one has that name. */
export function treeOfPath(archive: ArchiveInput): TreeInput {
  const { name } = archive;
  if (!isDirectory(name)) return treeOfArchive(archive);
  return {
    name,
    openTree: () => ({
      name,
      tree: new LocalTree(hostFiles.realPath(name)),
      [Symbol.dispose]() {},
    }),
    archive: undefined,
  };
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
