import assert from "node:assert/strict";
import { type CommonStart, WorkerPool } from "#src/mount/worker_pool.ts";
import { workerModule } from "./support/mounted.ts";

const TIMEOUT_MS = 30_000;
const A_WHILE_MS = 50;

const NOTHING_TO_SERVE: Omit<CommonStart, "description"> = {
  deviceFd: -1,
  initReplay: new Uint8Array(),
  passthrough: false,
  posixAcls: false,
  hasLongSetxattr: false,
  mountPoint: "/",
  mountOptions: "",
  libfusePath: undefined,
  fastPath: true,
  statistics: new SharedArrayBuffer(0),
};

Deno.test("WorkerPool.pausePreloading() waits for the worker that uses the mount", async () => {
  const pool = new WorkerPool(workerModule("./preloading_worker.ts"), 1);
  const listed = new Int32Array(new SharedArrayBuffer(4));
  try {
    await pool.start({ ...NOTHING_TO_SERVE, description: listed.buffer }, TIMEOUT_MS);
    let isPaused = false;
    const paused = pool.pausePreloading().then((pause) => {
      isPaused = true;
      return pause;
    });
    await new Promise((resolve) => setTimeout(resolve, A_WHILE_MS));
    assert.equal(isPaused, false);
    Atomics.store(listed, 0, 1);
    Atomics.notify(listed, 0);
    (await paused)[Symbol.dispose]();
    // Free again: nobody waits the second time.
    using _again = await pool.pausePreloading();
  } finally {
    pool.terminate();
  }
});
