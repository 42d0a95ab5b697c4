/**
 * All nodes of a tree.
 *
 * @module
 */

import type { DirectoryNode, Node, Tree } from "./node.ts";

/** A node with the path that leads to it. */
export interface WalkEntry {
  /** Names from the root on, joined with `/`; empty for the root. */
  readonly path: string;
  /** The same object for every name of a hard-linked file. */
  readonly node: Node;
}

/**
 * Visits every name of a tree once, a directory before what is in it.
 *
 * @example
 * ```ts
 * import { memoryDirectory, memoryFile, MemoryTree } from "@pbkfs/pbkfs/tree";
 * import { walk } from "@pbkfs/pbkfs/tree";
 *
 * const tree = new MemoryTree(memoryDirectory({ a: memoryFile("x") }));
 * const paths = [...walk(tree)].map((entry) => entry.path); // ["", "a"]
 * ```
 */
export function* walk(tree: Tree): Generator<WalkEntry> {
  yield { path: "", node: tree.root };
  // A stack of its own, so that deep trees cannot exhaust the program's.
  const stack: { path: string; directory: DirectoryNode }[] = [{
    path: "",
    directory: tree.root,
  }];
  while (stack.length > 0) {
    const { path, directory } = stack.pop()!;
    for (const { name, node } of directory.entries()) {
      const childPath = path === "" ? name : `${path}/${name}`;
      yield { path: childPath, node };
      if (node.kind === "directory") stack.push({ path: childPath, directory: node });
    }
  }
}
