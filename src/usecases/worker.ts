/**
 * The module that every thread of the program starts from: it serves a mount, handles chunks of a
 * backup, verifies chunks, or loads those that will be wanted next.
 *
 * @module
 */

import { serveDatastoreThread } from "#src/pbs/thread_roles.ts";
import type { MountDescription } from "./mounting/served_source.ts";

// Threads of a backup and of a verification start sooner, and often: without what a mount needs.
if (!serveDatastoreThread()) {
  const scope = globalThis as unknown as { onmessage: ((event: MessageEvent) => void) | null };
  scope.onmessage = async (event) => {
    const [{ serveWorker }, { openMounted }] = await Promise.all([
      import("#src/mount/fuse_worker.ts"),
      import("./mounting/served_source.ts"),
    ]);
    serveWorker((description, context) => openMounted(description as MountDescription, context));
    scope.onmessage!(event);
  };
}
