/**
 * A tree that is opened when it is first needed.
 *
 * @module
 */

import type { DirectoryNode, Node, Tree } from "./node.ts";

/**
 * Stands for a tree that may take long to open. A failure is that of the call that needed it; the
 * next one tries again.
 */
export class LateTree implements Tree {
  readonly #open: () => Tree;
  #opened: Tree | undefined;

  /** @param open opens the tree; throws what is then thrown here */
  constructor(open: () => Tree) {
    this.#open = open;
  }

  get root(): DirectoryNode {
    return this.#tree.root;
  }

  get countsLinks(): boolean {
    return this.#tree.countsLinks ?? true;
  }

  nodeById(id: number): Node | undefined {
    return this.#tree.nodeById(id);
  }

  close(): void {
    this.#opened?.close();
  }

  get #tree(): Tree {
    return this.#opened ??= this.#open();
  }
}
