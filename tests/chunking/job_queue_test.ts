import assert from "node:assert/strict";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { JOB_COUNT_MAX, JobQueue, WorkerState } from "#src/chunking/job_queue.ts";
import { IntegrityError } from "#src/errors.ts";

const OUTCOME = { digest: digestOf(new Uint8Array(32).fill(0xab)), storedSize: 99, isNew: true };

Deno.test("JobQueue gives jobs in order to whoever asks, and results back", () => {
  const queue = new JobQueue();
  const other = new JobQueue(queue.shared);
  queue.submit(0xf000_0000, 10);
  queue.submit(5, 20);
  assert.equal(queue.unclaimedCount, 2);
  assert.deepEqual(other.claim(), { start: 0xf000_0000, size: 10, number: 0 });
  assert.deepEqual(queue.claim(), { start: 5, size: 20, number: 1 });
  assert.equal(queue.claim(), undefined);
  assert.equal(queue.outcome(1), undefined);
  queue.complete(1, { ...OUTCOME, isNew: false });
  other.complete(0, OUTCOME);
  assert.deepEqual(queue.outcome(0), OUTCOME);
  assert.deepEqual(queue.outcome(1), { ...OUTCOME, isNew: false });
});

Deno.test("JobQueue uses its places again and again", () => {
  const queue = new JobQueue();
  for (let number = 0; number < 3 * JOB_COUNT_MAX; number++) {
    queue.submit(number, 1);
    assert.equal(queue.claim()!.start, number);
    assert.equal(queue.outcome(number), undefined);
    queue.complete(number, { ...OUTCOME, storedSize: number });
    assert.equal(queue.outcome(number)!.storedSize, number);
  }
});

Deno.test("JobQueue throws the first failure for every job that failed", () => {
  const queue = new JobQueue();
  for (let number = 0; number < 3; number++) queue.submit(0, 1);
  queue.complete(0, OUTCOME);
  queue.fail(1, new IntegrityError("First"));
  queue.fail(2, new IntegrityError("Second"));
  assert.deepEqual(queue.outcome(0), OUTCOME);
  for (const number of [1, 2]) {
    assert.throws(
      () => queue.outcome(number),
      (error) => error instanceof IntegrityError && error.message === "First",
    );
  }
});

Deno.test("JobQueue keeps a failure with too much to say short", () => {
  const queue = new JobQueue();
  queue.submit(0, 1);
  queue.fail(0, new Error("x".repeat(100_000)));
  assert.throws(() => queue.outcome(0), Error);
});

Deno.test("JobQueue.next() ends when the queue is stopped, even with jobs in it", () => {
  const queue = new JobQueue();
  queue.submit(1, 1);
  assert.equal(queue.next()!.start, 1);
  queue.submit(2, 1);
  queue.stop();
  assert.equal(queue.next(), undefined);
});

Deno.test("JobQueue changes a worker's state only from what it is", () => {
  const queue = new JobQueue();
  const { answer } = queue;
  assert.equal(queue.changeState(3, WorkerState.RUNNING, WorkerState.ENDED), false);
  assert.equal(queue.stateOf(3), WorkerState.STARTING);
  assert.equal(queue.changeState(3, WorkerState.STARTING, WorkerState.RUNNING), true);
  assert.equal(queue.stateOf(3), WorkerState.RUNNING);
  // Returns at once, as something was done.
  queue.waitForAnswer(answer);
});
