/**
 * Archives and directories by their paths, as trees for copies, comparisons and searches.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import type { PxarEntry } from "#src/pxar/entry.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import type { Node, Tree } from "#src/tree/node.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { openAccessor } from "./archive_tables.ts";

/** A tree that must be closed. */
export interface OpenTree extends Disposable {
  readonly tree: Tree;
}

/** Opens an archive. @throws {OsError} @throws {FormatError} */
export function openArchiveAsTree(archive: Pick<ArchiveInput, "openFiles">): OpenTree {
  const files = archive.openFiles();
  try {
    return { tree: pxarTree(openAccessor(files)), [Symbol.dispose]: () => files[Symbol.dispose]() };
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** Opens an archive, or a directory where one has that name. */
export function openAsTree(named: ArchiveInput): OpenTree {
  const { name } = named;
  if (!isDirectory(name)) return openArchiveAsTree(named);
  return { tree: new LocalTree(hostFiles.realPath(name)), [Symbol.dispose]() {} };
}

/** Closes several trees. */
export function closeAll(trees: readonly Disposable[]): void {
  for (const tree of trees) tree[Symbol.dispose]();
}

/** A node of a tree in the terms of an archive, for printing. */
export function printableEntry(entry: Node): PxarEntry {
  const { metadata } = entry;
  switch (entry.kind) {
    case "file": {
      const payload = {
        kind: "inline",
        offset: entry.payload?.offset ?? 0,
        size: entry.attributes.size,
      } as const;
      return { metadata, kind: "file", payload };
    }
    case "symlink":
      return { metadata, kind: "symlink", target: entry.target };
    case "device":
      return { metadata, kind: "device", major: entry.major, minor: entry.minor };
    default:
      return { metadata, kind: entry.kind };
  }
}

function isDirectory(path: string): boolean {
  try {
    return hostFiles.status(path)?.kind === "directory";
  } catch {
    // Opening it as an archive says what is wrong.
    return false;
  }
}
