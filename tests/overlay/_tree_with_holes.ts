/**
 * A tree with a file that says where it has only zeros.
 *
 * @module
 */

import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import type { FileNode, MountableTree, Node } from "#src/tree/node.ts";

/** A tree with `file`, which has `content` and knows of the zeros from `start` to `end`. */
export function treeWithHoles(
  content: Uint8Array,
  hole: { readonly start: number; readonly end: number },
): MountableTree {
  const { start, end } = hole;
  const tree = new MemoryTree(memoryDirectory({ file: memoryFile(content) }));
  const withHoles = (node: Node): Node => {
    if (node.kind !== "file") return node;
    const open = node.open.bind(node);
    const file: FileNode = {
      ...node,
      metadata: node.metadata,
      attributes: { ...node.attributes, dataBytes: content.length - (end - start) },
      open: () => {
        const opened = open();
        return {
          readInto: opened.readInto.bind(opened),
          close: () => opened.close(),
          nextData: (offset) => offset >= start && offset < end ? end : offset,
          nextHole: (offset) => offset < end ? Math.max(offset, start) : content.length,
        };
      },
    };
    return file;
  };
  const root = { ...tree.root, kind: "directory" as const };
  return {
    root: {
      ...root,
      id: tree.root.id,
      attributes: tree.root.attributes,
      xattrs: () => tree.root.xattrs(),
      lookup: (name) => {
        const node = tree.root.lookup(name);
        return node === undefined ? undefined : withHoles(node);
      },
      entries: () =>
        [...tree.root.entries()].map(({ name, node }) => ({ name, node: withHoles(node) })),
    },
    knownFields: tree.knownFields,
    nodeById: (id) => {
      const node = tree.nodeById(id);
      return node === undefined || id === tree.root.id ? node : withHoles(node);
    },
    close: () => tree.close(),
  };
}
