import assert from "node:assert/strict";
import { StateError } from "#src/errors.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import { Threads, threadsFrom } from "#src/threads/thread.ts";
import { type SharedCells, waitWhile } from "#src/threads/waiting.ts";
import { eventually } from "./support/eventually.ts";
import { type RoleStart, Seen } from "./support/role_worker.ts";

const TIMEOUT_MS = 60_000;

/** Threads with one role, and what is seen of them. */
class Helped {
  readonly cells: SharedCells = new Int32Array(new SharedArrayBuffer(4 * Seen.COUNT));
  readonly queue: JobQueue;
  readonly workers: Worker[] = [];
  readonly threads: Threads;

  constructor(role: string, options: { count?: number; timeoutMs?: number } = {}) {
    this.queue = new JobQueue({ count: 16, cells: 1 }, options.timeoutMs);
    const spawn = threadsFrom(() => new URL("./support/role_worker.ts", import.meta.url));
    this.threads = new Threads(
      (name) => {
        const worker = spawn(name);
        this.workers.push(worker);
        return worker;
      },
      role,
      options.count ?? 1,
      { queue: this.queue.shared, cells: this.cells } satisfies RoleStart,
    );
  }

  submit(value: number): number {
    const number = this.queue.nextNumber;
    this.queue.cells[this.queue.cellOf(number)] = value;
    this.queue.submit();
    return number;
  }

  /** Waits for the thread without the event loop, as those who need one do. */
  begin(): void {
    assert.ok(waitWhile(this.cells, Seen.BEGUN, 0, TIMEOUT_MS));
  }
}

Deno.test("Threads do jobs and free what they hold before they end", () => {
  const helped = new Helped("double", { count: 2 });
  const numbers = [1, 2, 3, 4, 5].map((value) => helped.submit(value));
  helped.begin();
  for (const number of numbers) {
    for (;;) {
      const { answerCount } = helped.queue;
      if (helped.queue.isAnswered(number)) break;
      helped.queue.waitForAnswer(answerCount);
    }
  }
  const values = numbers.map((number) => helped.queue.cells[helped.queue.cellOf(number)]);
  assert.deepEqual(values, [2, 4, 6, 8, 10]);
  helped.queue.stop();
  assert.equal(helped.threads.end(TIMEOUT_MS), true);
  assert.ok(helped.cells[Seen.RELEASED]! >= 1);
});

Deno.test("Threads that have not begun are not waited for", () => {
  let isTerminated = false;
  const silent = { onerror: null, postMessage() {}, terminate: () => void (isTerminated = true) };
  assert.equal(new Threads(() => silent, "hang", 1, undefined).end(0), true);
  assert.equal(isTerminated, true);
});

Deno.test("Threads that fail are of no help and do no harm", async () => {
  const helped = new Helped("fail");
  await eventually(() => helped.cells[Seen.RELEASED] === 1);
  assert.equal(helped.threads.end(TIMEOUT_MS), true);
  const number = helped.submit(7);
  helped.queue.finish(number, (cell) => helped.queue.cells[cell]! += 1);
  assert.equal(helped.queue.cells[helped.queue.cellOf(number)], 8);
});

for (const fate of ["ends", "hangs"]) {
  Deno.test(`Threads of which one ${fate} with a job keep nobody waiting for ever`, async () => {
    const helped = new Helped("hang", { timeoutMs: 50 });
    const number = helped.submit(1);
    helped.begin();
    await eventually(() => helped.queue.unclaimedCount === 0);
    if (fate === "ends") helped.workers[0]!.terminate();
    assert.throws(
      () => helped.queue.finish(number, () => {}),
      (error) => error instanceof StateError && error.code === "timeout",
    );
    helped.queue.stop();
    assert.equal(helped.threads.end(20), false);
  });
}

Deno.test("serveThread() leaves a thread with another name to others", async () => {
  const spawn = threadsFrom(() => new URL("./support/role_worker.ts", import.meta.url));
  for (const name of ["fuse-0", "double-", "doubled-1", "toString-0", ""]) {
    const worker = spawn(name);
    const said = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    assert.equal(await said, "no role", name);
    worker.terminate();
  }
});
