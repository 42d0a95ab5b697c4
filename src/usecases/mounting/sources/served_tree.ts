/**
 * A read-only tree as a mount serves it.
 *
 * @module
 */

import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem, type TreeFileSystemOptions } from "#src/mount/tree_file_system.ts";
import type { AttributesSlot, EntrySlot, FileSystem, StatfsSlot } from "#src/tree/file_system.ts";
import type { Tree } from "#src/tree/node.ts";

const BLOCK_SIZE = 4096;

/** What a tree does not know of itself. */
export interface ServedTreeFacts {
  /** Space that it takes where it is stored, in bytes. */
  readonly size: number;
  /** Number of names of each file that has several, by its id in the tree. */
  readonly linkCounts: ReadonlyMap<number, number>;
  /** Files have ACLs, or nobody has looked. */
  readonly mayHaveAcls: boolean;
}

/**
 * Serves `tree` with what is said of it besides. Closing it closes the tree.
 *
 * @param context says whether the kernel checks ACLs
 * @param onClose closes what the tree is read from
 */
export function serveTree(
  tree: Tree,
  facts: ServedTreeFacts,
  context: Pick<WorkerContext, "posixAcls">,
  onClose: () => void = () => {},
): FileSystem {
  const showsRestrictedModes = facts.mayHaveAcls && !context.posixAcls;
  return new ServedTree(tree, facts, { showsRestrictedModes }, onClose);
}

class ServedTree extends TreeFileSystem {
  readonly #facts: ServedTreeFacts;
  readonly #onClose: () => void;

  constructor(
    tree: Tree,
    facts: ServedTreeFacts,
    options: TreeFileSystemOptions,
    onClose: () => void,
  ) {
    super(tree, options);
    this.#facts = facts;
    this.#onClose = onClose;
  }

  override lookup(parentId: number, name: string, out: EntrySlot): number {
    const result = super.lookup(parentId, name, out);
    if (result === 0 && out.nodeId !== 0) this.#fillLinkCount(out.attributes);
    return result;
  }

  override getattr(nodeId: number, out: AttributesSlot): number {
    const result = super.getattr(nodeId, out);
    if (result === 0) this.#fillLinkCount(out);
    return result;
  }

  override statfs(out: StatfsSlot): number {
    super.statfs(out);
    out.blockSizeBytes = BLOCK_SIZE;
    out.blocks = Math.ceil(this.#facts.size / BLOCK_SIZE);
    return 0;
  }

  override close(): void {
    super.close();
    this.#onClose();
  }

  #fillLinkCount(attributes: AttributesSlot): void {
    // A file's node id is one above its id in the tree.
    const count = this.#facts.linkCounts.get(attributes.ino - 1);
    if (count !== undefined) attributes.nlink = count;
  }
}
