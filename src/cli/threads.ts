/**
 * Threads of this program, for what they do besides serving mounts.
 *
 * @module
 */

import { workerUrl } from "#src/mount/worker_source.ts";

/** Starts a thread; what it does depends on its name (`worker.ts`). */
export function spawnThread(name: string): Worker {
  return new Worker(workerUrl(), { type: "module", name });
}
