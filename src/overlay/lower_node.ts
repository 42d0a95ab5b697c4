/**
 * What a node of the lower tree is to the diff: whether it can be changed, and how it is copied.
 *
 * @module
 */

import { type FileNode, FileType, type Node } from "#src/tree/node.ts";

/** Largest plain file that is copied whole: one WAL segment of the usual size. */
export const WHOLE_COPY_SIZE_MAX = 16 << 20;

/** Whether a node of the lower tree has more names than one; directories have not. */
export function hasSeveralNames(node: Node): boolean {
  return node.kind !== "directory" && node.attributes.nlink > 1;
}

/**
 * Whether a node of the lower tree can be changed in the diff. A link or device with several names
 * would become two: the changed one, and the old one under its other names; files are looked after
 * (`linked_files.ts`). A device 0:0 would be a whiteout there.
 */
export function canChange(node: Node): boolean {
  if (node.kind === "directory") return true;
  const { mode, rdev } = node.attributes;
  const isLikeWhiteout = (mode & FileType.MASK) === FileType.CHARACTER_DEVICE && rdev === 0;
  return (node.kind === "file" || !hasSeveralNames(node)) && !isLikeWhiteout;
}

/**
 * Whether a file is copied whole rather than by blocks. One with several names is not: the header
 * of a partial file says which file it is.
 */
export function isCopiedWhole(node: FileNode): boolean {
  if (hasSeveralNames(node)) return false;
  return node.attributes.size === 0 ||
    (node.plainPath !== undefined && node.attributes.size <= WHOLE_COPY_SIZE_MAX);
}
