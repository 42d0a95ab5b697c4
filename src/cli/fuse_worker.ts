/**
 * The module that every FUSE worker starts from: opens this thread's own view of what is mounted.
 *
 * @module
 */

import { serveWorker, type WorkerContext } from "#src/mount/fuse_worker.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { BackupDescription } from "./backup_description.ts";
import { openBackup } from "./backup_file_system.ts";
import type { SnapshotDescription } from "./pbs/snapshot_description.ts";
import { openSnapshotView } from "./pbs/snapshot_tree.ts";
import type { ArchiveDescription } from "./pxar/archive_description.ts";
import { openArchive } from "./pxar/archive_file_system.ts";

/** What is mounted, as plain values that are sent to the workers. */
type MountDescription = BackupDescription | ArchiveDescription | SnapshotDescription;

serveWorker((description, context) => open(description as MountDescription, context));

function open(description: MountDescription, context: WorkerContext): FileSystem {
  switch (description.kind) {
    case "backup":
      return openBackup(description, context);
    case "archive":
      return openArchive(description);
    case "snapshot":
      return openSnapshotView(description, context);
  }
}
