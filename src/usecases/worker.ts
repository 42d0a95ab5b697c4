/**
 * The module that every thread of the program starts from: it serves a mount, handles chunks of a
 * backup, verifies chunks, or loads those that will be wanted next.
 *
 * @module
 */

import { serveWorker, type WorkerContext } from "#src/mount/fuse_worker.ts";
import { serveDatastoreThread } from "#src/pbs/thread_roles.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { BackupDescription } from "./mounting/sources/backup_description.ts";
import { openBackup } from "./mounting/sources/backup_file_system.ts";
import type { SnapshotDescription } from "./mounting/sources/snapshot_description.ts";
import { openSnapshotView } from "./mounting/sources/snapshot_tree.ts";
import type { ArchiveDescription } from "./mounting/sources/archive_description.ts";
import { openArchive } from "./mounting/sources/archive_file_system.ts";

/** What is mounted, as plain values that are sent to the workers. */
type MountDescription = BackupDescription | ArchiveDescription | SnapshotDescription;

if (!serveDatastoreThread()) {
  serveWorker((description, context) => open(description as MountDescription, context));
}

/** This thread's own view of what is mounted. */
function open(description: MountDescription, context: WorkerContext): FileSystem {
  switch (description.kind) {
    case "backup":
      return openBackup(description, context);
    case "archive":
      return openArchive(description, context);
    case "snapshot":
      return openSnapshotView(description, context);
  }
}
