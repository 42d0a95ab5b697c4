/**
 * A mutex on one word of shared memory, for FUSE workers that block.
 *
 * Word: 0 free, 1 held, 2 held and somebody waits. Free and uncontended it costs about 20 ns.
 * Lock order in the overlay: namespace, then node. Never held across a wait for another worker.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";

/** How long a worker waits for a lock before it gives up: far beyond any host call that ends. */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Takes the mutex at `words[index]`.
 *
 * @throws {StateError} `timeout` when the holder does not let go; the request then fails with EIO instead of hanging
 */
export function lock(words: Int32Array<SharedArrayBuffer>, index: number): void {
  if (Atomics.compareExchange(words, index, 0, 1) === 0) return;
  while (Atomics.exchange(words, index, 2) !== 0) {
    if (Atomics.wait(words, index, 2, LOCK_TIMEOUT_MS) === "timed-out") {
      throw new StateError("timeout", `Cannot take overlay lock ${index}: holder does not let go`);
    }
  }
}

/** Releases the mutex at `words[index]`, which the caller holds. */
export function unlock(words: Int32Array<SharedArrayBuffer>, index: number): void {
  if (Atomics.exchange(words, index, 0) === 2) Atomics.notify(words, index, 1);
}
