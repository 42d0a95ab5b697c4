/**
 * FUSE worker for tests: an overlay over a directory of the host.
 *
 * @module
 */

import { serveWorker } from "#src/mount/fuse_worker.ts";
import { openOverlay, type OverlayOptions, type SharedState } from "#src/overlay/mod.ts";
import { LoopbackTree } from "#tests/support/loopback_tree.ts";

/** What to serve; can be posted to a worker. */
export interface OverlayDescription extends OverlayOptions {
  readonly lowerPath: string;
  readonly diffPath: string;
  readonly nonce: Uint8Array;
  readonly shared: SharedState;
}

serveWorker((description, context) => {
  const { lowerPath, ...overlay } = description as OverlayDescription;
  return openOverlay({
    ...overlay,
    lower: new LoopbackTree(lowerPath),
    worker: context.index,
    backing: context.backing,
  });
});
