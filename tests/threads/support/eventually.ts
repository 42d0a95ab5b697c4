/**
 * Waiting for conditions that threads bring about.
 *
 * @module
 */

import assert from "node:assert/strict";

const TIMEOUT_MS = 30_000;
const PAUSE_MS = 2;

/** Waits until `condition`, with the event loop running: threads start and end by messages. */
export async function eventually(condition: () => boolean): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (!condition() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  assert.ok(condition());
}
