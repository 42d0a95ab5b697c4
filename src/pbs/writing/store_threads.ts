/**
 * Threads for backups to datastore directories.
 *
 * @module
 */

import { ChunkThreadPool } from "#src/chunking/thread_pool.ts";
import { startStoreThread } from "../thread_start.ts";

/**
 * Starts threads that serve one backup after the other, for {@link NewSnapshotOptions.workers}. To
 * be disposed of. The sources of this package must be readable (`--allow-read`); threads that
 * cannot start are done without.
 *
 * @param count default: as many as the machine has processors besides the caller's
 */
export function startStoreThreads(count = navigator.hardwareConcurrency - 1): ChunkThreadPool {
  return new ChunkThreadPool(count, startStoreThread);
}
