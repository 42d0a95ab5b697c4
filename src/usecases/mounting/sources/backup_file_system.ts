/**
 * One FUSE worker's own view of a mounted backup and its diff directory.
 *
 * @module
 */

import { nativeCodecs } from "#src/codecs/mod.ts";
import { openHostFileSource } from "#src/io/host_file_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { openOverlay, type Overlay } from "#src/overlay/overlay.ts";
import {
  attachPgProbackupTree,
  INDEX_BUDGET_BYTES,
  type PgProbackupTree,
} from "#src/pgprobackup/mod.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { BackupDescription } from "./backup_description.ts";

/** Opens the view of this thread. */
export function openBackup(description: BackupDescription, context: WorkerContext): FileSystem {
  const lower = attachPgProbackupTree(description.backup, {
    indexBudgetBytes: Math.floor(INDEX_BUDGET_BYTES / context.workerCount),
    openSource: openGated(openHostFileSource, context.gate),
    codecs: nativeCodecs(),
  });
  const overlay = openOverlay({
    ...description.overlay,
    lower,
    worker: context.index,
    backing: context.backing,
    posixAcls: context.posixAcls,
    gate: context.gate,
  });
  publishIndexUse(overlay, lower);
  return overlay;
}

/** Copies the backup's gauges to where the main isolate sees them, whenever they may have changed. */
function publishIndexUse(overlay: Overlay, lower: PgProbackupTree): void {
  const { counters } = overlay;
  const use = lower.counters;
  const read = overlay.read.bind(overlay);
  overlay.read = (nodeId, handle, offset, size, target, start) => {
    const count = read(nodeId, handle, offset, size, target, start);
    counters.set("indexFiles", use.indexFiles);
    counters.set("indexBytes", use.indexBytes);
    counters.set("pageHits", use.pageHits);
    counters.set("pageMisses", use.pageMisses);
    return count;
  };
}
