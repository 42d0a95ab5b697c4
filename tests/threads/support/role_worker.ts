/**
 * A module with several roles.
 *
 * @module
 */

import { JobQueue } from "#src/threads/job_queue.ts";
import { serveThread } from "#src/threads/thread.ts";
import { type SharedCells, sleep, storeAndWake } from "#src/threads/waiting.ts";

/** What a thread is given. */
export interface RoleStart {
  readonly queue: SharedArrayBuffer;
  readonly cells: SharedCells;
}

/** Cells that tell a test what has happened: 0 at first. */
export const Seen = { BEGUN: 0, RELEASED: 1, COUNT: 2 } as const;

const HANG_MS = 3_600_000;

let cells: SharedCells | undefined;

function begin(start: unknown): JobQueue {
  const { queue, cells: given } = start as RoleStart;
  cells = given;
  storeAndWake(cells, Seen.BEGUN, 1);
  return new JobQueue(queue);
}

const isServing = serveThread({
  double: (start) => {
    const queue = begin(start);
    queue.serve((cell) => queue.cells[cell]! *= 2);
  },
  fail: (start) => {
    begin(start);
    throw new Error("cannot help");
  },
  hang: (start) => begin(start).serve(() => sleep(HANG_MS)),
}, () => {
  if (cells !== undefined) Atomics.add(cells, Seen.RELEASED, 1);
});
// The test itself, which takes names from here, is no thread.
if (!isServing && "postMessage" in globalThis) {
  (globalThis as unknown as Worker).postMessage("no role");
}
