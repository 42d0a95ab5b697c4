/**
 * The module that every thread of the program starts from: it serves a mount, handles chunks of a
 * backup, verifies chunks, or loads those that will be wanted next.
 *
 * @module
 */

import { serveWorker } from "#src/mount/fuse_worker.ts";
import { serveDatastoreThread } from "#src/pbs/thread_roles.ts";
import { type MountDescription, openMounted } from "./mounting/served_source.ts";

if (!serveDatastoreThread()) {
  serveWorker((description, context) => openMounted(description as MountDescription, context));
}
