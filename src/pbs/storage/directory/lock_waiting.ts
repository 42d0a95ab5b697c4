/**
 * Waiting for locks that can only be tried.
 *
 * @module
 */

import { Errno } from "#src/errors.ts";
import { sleep } from "#src/threads/waiting.ts";

const PAUSE_MS = 20;

/** Whether a host call failed because somebody else has the lock. */
export function isLockTaken(result: number): boolean {
  return result === -Errno.EAGAIN || result === -Errno.EACCES;
}

/**
 * Tries until `attempt` gives something, or the time is over.
 *
 * @returns what it gave; undefined when it never did
 */
export function tryFor<Result>(
  timeoutMs: number,
  attempt: () => Result | undefined,
): Result | undefined {
  const end = performance.now() + timeoutMs;
  while (true) {
    const result = attempt();
    if (result !== undefined || performance.now() >= end) return result;
    sleep(PAUSE_MS);
  }
}
