import assert from "node:assert/strict";
import { IntegrityError, StateError } from "#src/errors.ts";
import { JobQueue } from "#src/threads/job_queue.ts";

const COUNT = 8;
const SIZE = { count: COUNT, cells: 3 } as const;
const TIMEOUT_MS = 30;

/** Puts in a job that says `value`. @returns its number */
function submit(queue: JobQueue, value: number): number {
  const number = queue.nextNumber;
  queue.cells[queue.cellOf(number)] = value;
  queue.submit();
  return number;
}

function valueOf(queue: JobQueue, number: number | undefined): number | undefined {
  return number === undefined ? undefined : queue.cells[queue.cellOf(number)];
}

function isTimeout(error: unknown): boolean {
  return error instanceof StateError && error.code === "timeout";
}

Deno.test("JobQueue gives jobs in order to whoever asks, and answers back", () => {
  const queue = new JobQueue(SIZE);
  const other = new JobQueue(queue.shared);
  const [first, second] = [submit(queue, -5), submit(queue, 7)];
  assert.equal(queue.unclaimedCount, 2);
  assert.equal(valueOf(other, other.claim()), -5);
  assert.equal(valueOf(queue, queue.claim()), 7);
  assert.equal(queue.claim(), undefined);
  assert.equal(queue.unclaimedCount, 0);
  queue.run(second, (cell) => queue.cells[cell + 2] = 70);
  assert.equal(queue.isAnswered(first), false);
  other.run(first, (cell) => other.cells[cell + 2] = 50);
  for (const [number, answer] of [[first, 50], [second, 70]] as const) {
    assert.equal(queue.isAnswered(number), true);
    assert.equal(queue.takeOut(number), true);
    assert.equal(queue.cells[queue.cellOf(number) + 2], answer);
    assert.equal(queue.isAnswered(number), false);
  }
});

Deno.test("JobQueue uses its places again and again", () => {
  const queue = new JobQueue(SIZE);
  for (let round = 0; round < 5 * COUNT; round++) {
    const number = submit(queue, round);
    assert.equal(queue.claim(), number);
    queue.run(number, (cell) => queue.cells[cell]! *= 2);
    assert.equal(queue.takeOut(number), true);
    assert.equal(valueOf(queue, number), 2 * round);
  }
});

Deno.test("JobQueue that is full takes no job until the oldest was taken out", () => {
  const queue = new JobQueue(SIZE);
  for (let job = 0; job < COUNT; job++) {
    assert.equal(queue.isFull, false);
    submit(queue, job);
  }
  const isBusy = (error: unknown) => error instanceof StateError && error.code === "busy";
  const isRefused = () => {
    assert.equal(queue.isFull, true);
    assert.throws(() => queue.submit(), isBusy);
  };
  isRefused();
  const oldest = queue.claim()!;
  isRefused();
  queue.complete(oldest);
  isRefused();
  queue.takeOut(oldest);
  assert.equal(submit(queue, 99), COUNT);
  isRefused();
  // Nothing was lost by the attempts.
  const values = Array.from({ length: COUNT + 1 }, () => valueOf(queue, queue.claim()));
  assert.deepEqual(values, [1, 2, 3, 4, 5, 6, 7, 99, undefined]);
});

Deno.test("JobQueue gives a job only once, however it is taken", () => {
  const queue = new JobQueue(SIZE);
  const numbers = [0, 1, 2].map((value) => submit(queue, value));
  assert.equal(queue.claimJob(numbers[1]!), true);
  assert.equal(queue.claimJob(numbers[1]!), false);
  assert.equal(queue.claim(), numbers[0]);
  assert.equal(queue.claimJob(numbers[0]!), false);
  assert.equal(queue.claim(), numbers[2]);
  assert.equal(queue.claim(), undefined);
});

Deno.test("JobQueue tells of the first failure, with its class", () => {
  const queue = new JobQueue(SIZE);
  const [good, first, second] = [0, 1, 2].map((value) => submit(queue, value));
  queue.run(good!, () => {});
  for (const [number, message] of [[first!, "First"], [second!, "Second"]] as const) {
    queue.run(number, () => {
      throw new IntegrityError(message);
    });
  }
  assert.equal(queue.takeOut(good!), true);
  for (const number of [first!, second!]) {
    assert.equal(queue.isAnswered(number), true);
    assert.equal(queue.takeOut(number), false);
  }
  const failure = queue.failure();
  assert.ok(failure instanceof IntegrityError && failure.message === "First");
});

Deno.test("JobQueue keeps a failure with too much to say short", () => {
  const queue = new JobQueue(SIZE);
  queue.run(submit(queue, 0), () => {
    throw new Error("x".repeat(100_000));
  });
  assert.equal(queue.failure().message, "too much to say");
});

Deno.test("JobQueue.serve() ends when the queue is stopped, even with jobs in it", () => {
  const queue = new JobQueue(SIZE);
  for (const value of [1, 2, 3]) submit(queue, value);
  const done: number[] = [];
  queue.serve((cell) => {
    done.push(queue.cells[cell]!);
    if (done.length === 2) queue.stop();
  });
  assert.deepEqual(done, [1, 2]);
  assert.equal(queue.unclaimedCount, 1);
});

Deno.test("JobQueue.finish() does the job, and others while somebody else has it", () => {
  const queue = new JobQueue(SIZE);
  const [first, second, third] = [0, 1, 2].map((value) => submit(queue, value));
  const done: number[] = [];
  const work = (cell: number) => void done.push(queue.cells[cell]!);
  queue.finish(second!, work);
  assert.deepEqual(done, [1]);
  assert.equal(queue.claim(), first);
  assert.throws(() => new JobQueue(queue.shared, TIMEOUT_MS).finish(first!, work), isTimeout);
  assert.deepEqual(done, [1, 2]);
  assert.equal(queue.isAnswered(third!), true);
  // Late, but it is an answer.
  queue.complete(first!);
  queue.finish(first!, work);
  assert.equal(queue.takeOut(first!), true);
});

Deno.test("JobQueue.waitForAnswer() ends with an answer, a stop or the end of the time", () => {
  const queue = new JobQueue(SIZE, TIMEOUT_MS);
  const number = submit(queue, 0);
  const { answerCount } = queue;
  queue.claim();
  assert.throws(() => queue.waitForAnswer(answerCount), isTimeout);
  const stop = new Error("stop");
  assert.throws(() =>
    new JobQueue(queue.shared).waitForAnswer(answerCount, () => {
      throw stop;
    }), stop);
  queue.complete(number);
  queue.waitForAnswer(answerCount);
});
