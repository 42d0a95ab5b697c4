/**
 * Trying again what has failed for a while.
 *
 * @module
 */

import { Failure, StateError } from "#src/errors.ts";

/** Between attempts; none follows the last one. */
const PAUSES_MS = [250, 1_000, 3_000];

/** How an attempt may be repeated. */
export interface BackoffOptions {
  /** Whether what has failed may be done once more; asked of temporary failures only. */
  readonly mayRepeat: (error: Failure) => boolean;
  readonly signal?: AbortSignal | undefined;
  readonly pausesMs?: readonly number[] | undefined;
}

/**
 * Does something, again after a pause where that may help.
 *
 * @throws what the last attempt has thrown
 * @throws {StateError} `interrupted` by the signal
 */
export async function withBackoff<Result>(
  attempt: () => Promise<Result>,
  { mayRepeat, signal, pausesMs = PAUSES_MS }: BackoffOptions,
): Promise<Result> {
  for (let count = 0;; count++) {
    try {
      return await attempt();
    } catch (error) {
      const pauseMs = pausesMs[count];
      const isTemporary = error instanceof Failure && error.isTemporary;
      if (pauseMs === undefined || !isTemporary || !mayRepeat(error)) throw error;
      // Many clients of a server that was away do not come back at once.
      await pause(pauseMs * (0.5 + Math.random()), signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new StateError("interrupted", "The request was interrupted"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
