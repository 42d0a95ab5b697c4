/**
 * A tree as a mount serves it: read-only, or below an overlay.
 *
 * @module
 */

import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem, type TreeFileSystemOptions } from "#src/mount/tree_file_system.ts";
import { openOverlay } from "#src/overlay/overlay.ts";
import type { AttributesSlot, EntrySlot, FileSystem, StatfsSlot } from "#src/tree/file_system.ts";
import type { Tree } from "#src/tree/node.ts";
import type { OverlayDescription } from "../diff_life.ts";
import { SurveyedTree } from "./surveyed_tree.ts";

const BLOCK_SIZE = 4096;

/** What a tree does not know of itself. */
export interface ServedTreeFacts {
  /** Space that it takes where it is stored, in bytes. */
  readonly size: number;
  /** Number of names of each file that has several, by its id in the tree. */
  readonly linkCounts: ReadonlyMap<number, number>;
  /** Files have ACLs, or nobody has looked. */
  readonly mayHaveAcls: boolean;
  /** Over which changes are kept; absent where there are none. */
  readonly overlay?: OverlayDescription;
}

/**
 * Serves `tree` with what is said of it besides, writable where an overlay is. Closing what is
 * read-only closes the tree; what is writable is read from until its thread ends.
 *
 * @param context says whether the kernel checks ACLs
 * @param onClose closes what the tree is read from
 */
export function serveTree(
  tree: Tree,
  facts: ServedTreeFacts,
  context: Pick<WorkerContext, "posixAcls" | "index" | "backing" | "gate">,
  onClose: () => void = () => {},
): FileSystem {
  const showsRestrictedModes = facts.mayHaveAcls && !context.posixAcls;
  if (facts.overlay !== undefined) {
    return openOverlay({
      ...facts.overlay,
      lower: new SurveyedTree(tree, facts.linkCounts, showsRestrictedModes),
      worker: context.index,
      backing: context.backing,
      posixAcls: context.posixAcls,
      gate: context.gate,
    });
  }
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
