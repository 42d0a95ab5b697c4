/**
 * Workers for tests and benchmarks.
 *
 * @module
 */

import type { ChunkWorkers } from "#src/chunking/worker_threads.ts";
import type { HashHandlerDescription } from "./hash_handler.ts";

const WORKER_URL = new URL("./chunk_worker.ts", import.meta.url).href;

/** Workers that hash. */
export function hashWorkers(count: number, description: HashHandlerDescription = {}): ChunkWorkers {
  return {
    count,
    spawn: (name) => new Worker(WORKER_URL, { type: "module", name }),
    description,
  };
}
