/**
 * What a diff refers to in the lower tree, by paths: the directory that one of its directories
 * continues, the file that one of its files is a part of, the link that one stands for.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import type { DirectoryNode, FileNode, Node, SymlinkNode, Tree } from "#src/tree/node.ts";
import { blockCount, type PartialHeader } from "./partial_file.ts";

/** The lower node at a path without a leading slash, or undefined. */
function resolveLower({ root }: Tree, path: string): Node | undefined {
  let node: Node | undefined = root;
  if (path === "") return node;
  for (const name of path.split("/")) {
    if (node?.kind !== "directory") return undefined;
    node = node.lookup(name);
  }
  return node;
}

/**
 * The directory of the lower tree that a directory of the diff continues.
 *
 * @param marker what its marker says: a path, undefined for "none", null without a marker
 * @param sameName asked without a marker: what the lower tree has under its name
 * @throws {FormatError} when there is no such directory
 */
export function continuedDirectory(
  lower: Tree,
  marker: string | undefined | null,
  sameName: () => Node | undefined,
): DirectoryNode | undefined {
  if (marker === undefined) return undefined;
  const node = marker === null ? sameName() : resolveLower(lower, marker);
  if (node?.kind === "directory") return node;
  if (marker === null) return undefined;
  throw new FormatError("Cannot read directory marker: backup has no such directory", {
    path: marker,
  });
}

/**
 * The link of the lower tree that a link of the diff stands for (`link_reference.ts`).
 *
 * @throws {FormatError} when there is none
 */
export function referredLink(lower: Tree, path: string): SymlinkNode {
  const node = resolveLower(lower, path);
  if (node?.kind === "symlink") return node;
  throw new FormatError("Cannot read link of the diff: backup has no such link", { path });
}

/**
 * The file of the lower tree that a partial file shows a part of.
 *
 * @throws {FormatError} when it is none, or has more blocks than the partial file knows of
 */
export function partialLower(
  lower: Tree,
  { lowerPath, mapBlocks }: Pick<PartialHeader, "lowerPath" | "mapBlocks">,
): FileNode {
  const node = resolveLower(lower, lowerPath);
  // More blocks are good: before, a file could be shown longer than what the backup stores of it.
  if (node?.kind === "file" && mapBlocks >= blockCount(node.attributes.size)) return node;
  throw new FormatError("Cannot read changed file: it does not fit the backup", {
    path: lowerPath,
  });
}

/**
 * Bytes of the lower file that a partial file still shows. One that was cut short before its
 * visible size was lowered shows no more of it than its own length.
 *
 * @param visibleSize as its header has it
 * @param size what the partial file shows at all, in bytes
 */
export function visibleBytes(
  { visibleSize, size }: { readonly visibleSize: number; readonly size: number },
  { attributes }: FileNode,
): number {
  return Math.min(visibleSize, size, attributes.size);
}
