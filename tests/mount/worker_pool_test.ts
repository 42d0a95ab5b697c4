import assert from "node:assert/strict";
import { type CommonStart, WorkerPool } from "#src/mount/worker_pool.ts";
import { Cell } from "./support/late_cells.ts";
import { workerModule } from "./support/mounted.ts";

const TIMEOUT_MS = 30_000;
const POLL_MS = 5;
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
  const pool = new WorkerPool({ url: workerModule("./preloading_worker.ts") }, 1);
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

/** Workers of `late_worker.ts`. */
class LatePool implements Disposable {
  readonly pool: WorkerPool;
  readonly #cells = new Int32Array(new SharedArrayBuffer(Cell.COUNT * 4));

  constructor(workerCount: number) {
    this.pool = new WorkerPool({ url: workerModule("./late_worker.ts") }, workerCount);
  }

  start(): Promise<void> {
    return this.pool.start({ ...NOTHING_TO_SERVE, description: this.#cells.buffer }, TIMEOUT_MS);
  }

  get servingCount(): number {
    return Atomics.load(this.#cells, Cell.SERVING_COUNT);
  }

  set(cell: number): void {
    Atomics.store(this.#cells, cell, 1);
    Atomics.notify(this.#cells, cell);
  }

  /** Waits until so many serve. */
  async untilServing(count: number): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS;
    while (this.servingCount < count) {
      assert.ok(performance.now() < deadline, `${this.servingCount} of ${count} workers serve`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  [Symbol.dispose](): void {
    // A thread that waits does not hear that it is to terminate.
    this.set(Cell.LET_IN);
    this.set(Cell.TOLD_TO_END);
    this.pool.terminate();
  }
}

Deno.test("WorkerPool.start() waits for the first worker only, and the others follow", async () => {
  using late = new LatePool(3);
  await late.start();
  assert.equal(late.servingCount, 1);
  late.set(Cell.LET_IN);
  await late.untilServing(3);
});

Deno.test("WorkerPool.firstFailure() is fulfilled by the end of the last worker that was started", async () => {
  using late = new LatePool(2);
  await late.start();
  let hasEnded = false;
  const ended = late.pool.firstFailure().then(() => {
    hasEnded = true;
  });
  late.set(Cell.LET_IN);
  await late.untilServing(2);
  assert.equal(hasEnded, false);
  late.set(Cell.TOLD_TO_END);
  await ended;
});

Deno.test("WorkerPool.firstFailure() does not wait for workers that were never started", async () => {
  using late = new LatePool(64);
  await late.start();
  late.set(Cell.LET_IN);
  late.set(Cell.TOLD_TO_END);
  await late.pool.firstFailure();
});
