/**
 * One FUSE worker's own view of a mounted source: read-only, or below an overlay.
 *
 * @module
 */

import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem } from "#src/mount/tree_file_system.ts";
import { openOverlay } from "#src/overlay/overlay.ts";
import { attachSource } from "#src/sources/attach.ts";
import type { SourceDescription } from "#src/sources/source.ts";
import type { WaitGate } from "#src/io/wait_gate.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { LateTree } from "#src/tree/late_tree.ts";
import type { OverlayDescription } from "./diff_life.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { AttributeOverrideTree } from "#src/tree/attribute_override_tree.ts";
import { InnerLinksTree, type OutwardLinks } from "#src/sources/inner_links.ts";
import { spawnThread } from "../threads.ts";

/** What is mounted, as plain values that are sent to the workers. */
export interface MountDescription {
  readonly source: SourceDescription;
  /** Over which changes are kept; undefined for a read-only mount. */
  readonly overlay: OverlayDescription | undefined;
  /** What leads out of it, and must not in a writable mount; undefined: nothing. */
  readonly outwardLinks?: OutwardLinks | undefined;
  /** Who owns all files below the overlay; undefined: as the source has it. */
  readonly owner: Owner | undefined;
}

/** A thread that reads what is mounted. */
export interface LowerThread {
  /** Each has its own, from 0 on. */
  readonly index: number;
  readonly gate: WaitGate;
  /** Opening may have to wait for the source: it is opened when it is needed. */
  readonly isLate: boolean;
  /** The kernel checks access by POSIX ACLs. */
  readonly posixAcls: boolean;
}

/** Opens what is mounted without what was written: what an overlay lies over. */
export function openLower(
  { source, overlay, owner, outwardLinks }: MountDescription,
  { index, gate, isLate, posixAcls }: LowerThread,
): MountableTree {
  const open = () => {
    const tree = attachSource(source, { index, gate, spawn: spawnThread });
    return outwardLinks === undefined ? tree : new InnerLinksTree(tree, outwardLinks);
  };
  const tree = isLate ? new LateTree(open) : open();
  if (overlay === undefined) return tree;
  const withoutAcls = source.mayHaveAcls && !posixAcls;
  return withoutAcls || owner !== undefined
    ? new AttributeOverrideTree(tree, { withoutAcls, owner })
    : tree;
}

/** Opens the view of this thread. What is writable is read from until its thread ends. */
export function openMounted(description: MountDescription, context: WorkerContext): FileSystem {
  const { index, gate, backing, posixAcls, isReserve: isLate } = context;
  const { source, overlay } = description;
  const tree = openLower(description, { ...context, isLate });
  if (overlay === undefined) {
    const showsRestrictedModes = source.mayHaveAcls && !posixAcls;
    const sizeBytes = source.sizeBytes ?? 0;
    return new TreeFileSystem(tree, { showsRestrictedModes, sizeBytes });
  }
  return openOverlay({ ...overlay, lower: tree, worker: index, backing, posixAcls, gate });
}
