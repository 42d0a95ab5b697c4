import assert from "node:assert/strict";
import { acquireLock, breakLock, releaseLock } from "#src/threads/lock.ts";
import { threadsFrom } from "#src/threads/thread.ts";
import type { SharedCells } from "#src/threads/waiting.ts";
import { eventually } from "./support/eventually.ts";
import { Cell, type LockUse } from "./support/lock_worker.ts";

const FOREVER_MS = 60_000;

const startThread = threadsFrom(new URL("./support/lock_worker.ts", import.meta.url).href);

function makeCells(): SharedCells {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Starts a thread. `locked`: whether it got the lock, when it has come to its end. */
function useLock(cells: SharedCells, use: LockUse) {
  const worker = startThread("lock");
  const locked = new Promise<boolean>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(event.error);
  });
  worker.postMessage({ cells, use });
  return { locked, terminate: () => worker.terminate() };
}

Deno.test("acquireLock() gives the lock to one thread at a time", async () => {
  const cells = makeCells();
  const threads = [1, 2, 3].map(() => useLock(cells, "count"));
  assert.deepEqual(await Promise.all(threads.map(({ locked }) => locked)), [true, true, true]);
  for (const thread of threads) thread.terminate();
  assert.equal(cells[Cell.COUNT], 3 * 2000);
});

Deno.test("acquireLock() waits no longer than it may for a thread that ended with the lock", async () => {
  const cells = makeCells();
  const thread = useLock(cells, "keep");
  await eventually(() => cells[Cell.COUNT] === 1);
  thread.terminate();
  assert.equal(acquireLock(cells, Cell.LOCK, 0), false);
  assert.equal(acquireLock(cells, Cell.LOCK, 20), false);
  // It is not broken: an operation has failed, others may not.
  releaseLock(cells, Cell.LOCK);
  assert.equal(acquireLock(cells, Cell.LOCK, 0), true);
});

Deno.test("breakLock() ends the waits of others, and nobody gets the lock any more", async () => {
  const cells = makeCells();
  assert.equal(acquireLock(cells, Cell.LOCK, 0), true);
  const thread = useLock(cells, "wait");
  await eventually(() => cells[Cell.COUNT] === 1);
  breakLock(cells, Cell.LOCK);
  assert.equal(await thread.locked, false);
  thread.terminate();
  releaseLock(cells, Cell.LOCK);
  assert.equal(acquireLock(cells, Cell.LOCK, FOREVER_MS), false);
});
