/**
 * A tree that is opened when it is first needed.
 *
 * @module
 */

import type { MetadataField } from "./metadata.ts";
import type { DirectoryNode, MountableTree, Node } from "./node.ts";

/**
 * Stands for a tree that may take long to open. A failure is that of the call that needed it; the
 * next one tries again.
 */
export class LateTree implements MountableTree {
  readonly #open: () => MountableTree;
  #opened: MountableTree | undefined;

  /** @param open opens the tree; throws what is then thrown here */
  constructor(open: () => MountableTree) {
    this.#open = open;
  }

  get root(): DirectoryNode {
    return this.#tree.root;
  }

  get knownFields(): ReadonlySet<MetadataField> {
    return this.#tree.knownFields;
  }

  get mtimePrecisionNs(): number {
    return this.#tree.mtimePrecisionNs ?? 1;
  }

  nodeById(id: number): Node | undefined {
    return this.#tree.nodeById(id);
  }

  close(): void {
    this.#opened?.close();
  }

  get #tree(): MountableTree {
    return this.#opened ??= this.#open();
  }
}
