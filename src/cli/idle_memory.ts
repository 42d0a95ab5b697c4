/**
 * The memory of a mount that nobody asks anything.
 *
 * @module
 */

import { releaseStartMemory } from "#src/io/host_memory.ts";

/** What comes right after the mount still runs code of the start. */
const SETTLING_MS = 1000;

/**
 * Gives back what the start of a mount took: lists of the backup were large, half of the runtime's code is never run
 * again, and from now on the main thread only waits. Does not keep the process alive.
 */
export function releaseMemorySoon(): void {
  Deno.unrefTimer(setTimeout(releaseStartMemory, SETTLING_MS));
}
