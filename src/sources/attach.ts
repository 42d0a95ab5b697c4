/**
 * Sources that another thread has described, by kind. Nothing is loaded later here, since threads
 * that serve do not wait for anything.
 *
 * @module
 */

import type { MountableTree } from "#src/tree/node.ts";
import { attachDiff } from "./diff/diff_source.ts";
import { attachDirectory } from "./directory/directory_source.ts";
import type { SourceKindName } from "./name.ts";
import { attachPbs } from "./pbs/pbs_source.ts";
import { attachPgpro } from "./pgpro/pgpro_source.ts";
import { attachPxar } from "./pxar/pxar_source.ts";
import type { SourceDescription, SourceThread } from "./source.ts";
import { attachTar } from "./tar/tar_source.ts";

/** What there is to a kind. */
interface AttachedKind {
  /** Opens what another thread has described. */
  attach(description: SourceDescription, thread: SourceThread): MountableTree;
}

const KINDS: Readonly<Record<SourceKindName, AttachedKind>> = {
  pgpro: { attach: attachPgpro },
  pxar: { attach: attachPxar },
  pbs: { attach: attachPbs },
  tar: { attach: attachTar },
  dir: { attach: attachDirectory },
  diff: { attach: (description, thread) => attachDiff(description, thread, attachSource) },
};

/**
 * Opens a described source in this thread. The caller closes the tree.
 *
 * @throws what reading it throws
 */
export function attachSource(description: SourceDescription, thread: SourceThread): MountableTree {
  return KINDS[description.kind].attach(description, thread);
}
