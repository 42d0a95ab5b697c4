/**
 * The memory of a mount that nobody asks anything.
 *
 * @module
 */

import { releaseUnusedMemory } from "#ffi/libc/memory.ts";

const LOOK_EVERY_MS = 1000;

/**
 * Gives memory back whenever no request has come for a second, once each time: what the start of a
 * mount took, since lists of the backup were large and half of the runtime's code is never run
 * again, and what a burst of requests left. Does not keep the process alive.
 *
 * @param requestCount requests so far
 */
export function releaseMemoryWhenIdle(requestCount: () => number): void {
  let last = -1;
  let released = -1;
  const look = () => {
    const count = requestCount();
    if (count === last && count !== released) {
      released = count;
      releaseUnusedMemory();
    }
    last = count;
  };
  Deno.unrefTimer(setInterval(look, LOOK_EVERY_MS));
}
