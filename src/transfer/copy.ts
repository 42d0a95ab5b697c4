/**
 * Copies of archives and trees: chosen paths, whole trees, several trees in one.
 *
 * @module
 */

import { compose, type CompositionOptions, type Placement } from "./compose.ts";
import type { Tree } from "#src/tree/node.ts";
import { type TransferProgress, writeTree } from "./write_tree.ts";
import type { TreeWriter } from "./writer.ts";

/** A path to be copied and where it goes; see {@link Placement}. */
export type CopyPath = Pick<Placement, "from" | "to">;

/** How something is copied. */
export interface CopyOptions extends CompositionOptions {
  /** Hears how far the copy is. */
  readonly progress?: TransferProgress;
}

/**
 * Copies chosen paths of `tree`, each with all that is in it.
 *
 * @throws what {@link compose} throws
 *
 * @example
 * ```ts
 * import { memoryDirectory, memoryFile, MemoryTree } from "@pbkfs/pbkfs/tree";
 * import { ArchiveWriter, copy } from "@pbkfs/pbkfs/transfer";
 *
 * const tree = new MemoryTree(memoryDirectory({ "a.txt": memoryFile("hello") }));
 * const writer = new ArchiveWriter({ metadata: { write: (bytes) => console.log(bytes.length) } });
 * copy(tree, [{ from: "/a.txt", to: "/docs/" }], writer); // has /docs/a.txt
 * ```
 */
export function copy(
  tree: Tree,
  paths: readonly CopyPath[],
  writer: TreeWriter,
  options: CopyOptions = {},
): void {
  const placements = paths.map((path): Placement => ({ ...path, tree }));
  writeTree(compose(placements, options), writer, options.progress);
}

/** Copies a whole tree. */
export function copyTree(
  tree: Tree,
  writer: TreeWriter,
  options: Pick<CopyOptions, "progress"> = {},
): void {
  writeTree(tree, writer, options.progress);
}

/**
 * Unites whole trees. The root has the metadata of the first tree's root, with the policy `last`
 * that of the last one's.
 *
 * @throws what {@link compose} throws
 */
export function merge(
  trees: readonly Tree[],
  writer: TreeWriter,
  options: CopyOptions = {},
): void {
  const placements = trees.map((tree): Placement => ({ tree, from: "/" }));
  writeTree(compose(placements, options), writer, options.progress);
}
