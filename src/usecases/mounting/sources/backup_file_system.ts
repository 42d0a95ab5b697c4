/**
 * One FUSE worker's own view of a mounted backup and its diff directory.
 *
 * @module
 */

import { nativeCodecs } from "#src/codecs/codecs.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { openOverlay } from "#src/overlay/overlay.ts";
import { PageCounters } from "#src/pgprobackup/page_counters.ts";
import { attachPgProbackupTree, INDEX_BUDGET_BYTES } from "#src/pgprobackup/pgprobackup_tree.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { BackupDescription } from "./backup_description.ts";

/** Opens the view of this thread. */
export function openBackup(description: BackupDescription, context: WorkerContext): FileSystem {
  const lower = attachPgProbackupTree(description.backup, {
    indexBudgetBytes: Math.floor(INDEX_BUDGET_BYTES / context.workerCount),
    openSource: openGated(openNativeSource, context.gate),
    codecs: nativeCodecs(),
    counters: new PageCounters(description.pageCounters, context.index),
  });
  return openOverlay({
    ...description.overlay,
    lower,
    worker: context.index,
    backing: context.backing,
    posixAcls: context.posixAcls,
    gate: context.gate,
  });
}
