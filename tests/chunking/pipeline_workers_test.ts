import assert from "node:assert/strict";
import type { ChunkHandler } from "#src/chunking/chunk_handler.ts";
import type { CutRule } from "#src/chunking/chunk_stream.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import type { ChunkWorkers } from "#src/chunking/worker_threads.ts";
import { Failure, OsError, StateError } from "#src/errors.ts";
import { expectedChunks, openHeard, writeInPieces } from "./support/cut_streams.ts";
import {
  Count,
  type HashHandlerDescription,
  makeCounts,
  openHashHandler,
} from "./support/hash_handler.ts";
import { sleep } from "#src/threads/waiting.ts";
import { seededBytes } from "./support/random_bytes.ts";
import { hashWorkers } from "./support/worker_options.ts";

const AVERAGE = 64 << 10;
/** Enough for workers to be started. */
const BYTES = seededBytes(40 << 20, 99);

/**
 * A pipeline with workers; `counts` are those of all handlers. Once workers are started, the
 * caller's handler waits for the first of them to begin: on a busy machine everything would be done
 * before otherwise.
 */
function parallelPipeline(
  count: number,
  options: { workers?: HashHandlerDescription; budgetBytes?: number } = {},
) {
  const counts = makeCounts();
  const shared = { counts: counts.buffer };
  const spawned: string[] = [];
  const workers = hashWorkers(count, { ...options.workers, ...shared });
  const own = openHashHandler(shared);
  const handler: ChunkHandler = {
    ...own,
    handle(plain, start, size, stream) {
      if (spawned.length > 0) waitForWorker(counts);
      return own.handle(plain, start, size, stream);
    },
  };
  const pipeline = new ChunkPipeline({
    handler,
    workers: {
      ...workers,
      spawn: (name) => {
        spawned.push(name);
        return workers.spawn(name);
      },
    },
    budgetBytes: options.budgetBytes,
  });
  return { pipeline, counts, spawned };
}

function waitForWorker(counts: Int32Array<SharedArrayBuffer>): void {
  waitUntil(() => counts[Count.OPENED] !== 1);
}

/** Waits without the event loop. */
function waitUntil(condition: () => boolean): void {
  for (let waitedMs = 0; !condition() && waitedMs < 60_000; waitedMs++) sleep(1);
}

/** What a pipeline without workers tells of `bytes`. */
function inlineChunks(rule: CutRule, bytes: Uint8Array) {
  const pipeline = new ChunkPipeline({ handler: openHashHandler() });
  const { stream, heard } = openHeard(pipeline, rule);
  stream.write(bytes);
  stream.finish();
  pipeline.finish();
  return heard;
}

const RULES: readonly CutRule[] = [
  { kind: "dynamic", averageSize: AVERAGE },
  { kind: "payload", averageSize: 1 << 20 },
  { kind: "fixed", chunkSize: 100_000 },
];

for (const rule of RULES) {
  for (const count of [1, 3]) {
    Deno.test(`ChunkPipeline with ${count} workers gives what it gives without (${rule.kind})`, () => {
      const { pipeline, counts, spawned } = parallelPipeline(count);
      const { stream, heard } = openHeard(pipeline, rule);
      writeInPieces(stream, BYTES, [1 << 20, 17, 300_000]);
      stream.finish();
      assert.deepEqual(heard, inlineChunks(rule, BYTES));
      const statistics = pipeline.finish();
      assert.equal(statistics.plainBytes, BYTES.length);
      assert.equal(statistics.chunkCount, heard.length);
      assert.equal(counts[Count.CHUNKS], heard.length);
      assert.equal(spawned.length, count);
      assert.ok(counts[Count.OPENED]! > 1, "no worker had anything to do");
      assert.equal(counts[Count.OPEN], 0);
    });
  }
}

Deno.test("ChunkPipeline starts no worker for short streams", () => {
  const { pipeline, counts, spawned } = parallelPipeline(2);
  const { stream } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
  stream.write(BYTES.subarray(0, 8 << 20));
  stream.finish();
  pipeline.finish();
  assert.deepEqual(spawned, []);
  assert.equal(counts[Count.OPENED], 1);
});

Deno.test("ChunkPipeline has several streams open at a time, and one after the other", () => {
  const { pipeline } = parallelPipeline(2);
  const rules = [RULES[0]!, RULES[1]!];
  for (let round = 0; round < 2; round++) {
    const streams = rules.map((rule) => openHeard(pipeline, rule));
    for (let done = 0; done < BYTES.length; done += 1 << 20) {
      for (const { stream } of streams) stream.write(BYTES.subarray(done, done + (1 << 20)));
    }
    streams.forEach(({ stream, heard }, index) => {
      stream.finish();
      assert.deepEqual(heard, inlineChunks(rules[index]!, BYTES));
    });
  }
  assert.equal(pipeline.finish().plainBytes, 4 * BYTES.length);
});

Deno.test("ChunkPipeline counts chunks with the same bytes as new once, whoever handles them", () => {
  const { pipeline } = parallelPipeline(2, { workers: { delayMs: 1 } });
  const { stream, records } = openHeard(pipeline, { kind: "fixed", chunkSize: 1 << 20 });
  const zeros = new Uint8Array(1 << 20);
  for (let index = 0; index < 60; index++) stream.write(zeros);
  stream.finish();
  // The handlers of this test take every chunk for new; those that handle them one after the other
  // would not.
  const late = records.slice(20);
  assert.equal(late.filter(({ isNew }) => isNew).length <= 1, true);
  pipeline.finish();
});

Deno.test("ChunkPipeline waits for slow workers when its memory is used up", () => {
  const budgetBytes = 4 << 20;
  const { pipeline, counts } = parallelPipeline(2, {
    workers: { delayMs: 1 },
    budgetBytes,
  });
  let outstandingMax = 0;
  const stream = pipeline.openStream({ kind: "dynamic", averageSize: AVERAGE }, (chunk, end) => {
    outstandingMax = Math.max(outstandingMax, stream.position - (end - chunk.size));
  });
  for (let done = 0; done < BYTES.length; done += 1 << 20) {
    stream.write(BYTES.subarray(done, done + (1 << 20)));
  }
  stream.finish();
  pipeline.finish();
  assert.ok(outstandingMax <= budgetBytes + (1 << 20), `${outstandingMax} bytes in hand`);
  assert.ok(outstandingMax > 1 << 20, "there was nothing to wait for");
  assert.ok(counts[Count.IN_HAND_MAX]! <= 3);
});

Deno.test("ChunkPipeline throws what a worker's handler threw, with class, code and details", () => {
  const cases = [
    [
      "integrity",
      (error: unknown) =>
        error instanceof Failure && error.name === "IntegrityError" && error.code === "integrity" &&
        error.hint === "Look" && "offset" in error && error.offset === 7 &&
        error.message === 'Bad chunk ("/x", offset 7)',
    ],
    [
      "os",
      (error: unknown) =>
        error instanceof OsError && error.code === "ENOSPC" && error.errno === 28 &&
        error.path === "/store/.chunks/0000",
    ],
    ["state", (error: unknown) => error instanceof StateError && error.code === "locked"],
    ["text", (error: unknown) => error instanceof Error && error.message === "just text"],
  ] as const;
  for (const [how, isExpected] of cases) {
    const { pipeline, counts } = parallelPipeline(1, {
      workers: { fails: { prefix: "", how } },
    });
    const { stream } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
    const run = () => {
      stream.write(BYTES);
      stream.finish();
    };
    assert.throws(run, isExpected);
    assert.throws(run, isExpected);
    assert.throws(() => pipeline.finish(), isExpected);
    assert.equal(counts[Count.OPEN], 0);
    pipeline.abort();
  }
});

Deno.test("ChunkPipeline.abort() leaves no worker behind, whatever it is doing", () => {
  for (const size of [17 << 20, 20 << 20, BYTES.length]) {
    const { pipeline, counts } = parallelPipeline(2, { workers: { delayMs: 2 } });
    const { stream, heard } = openHeard(pipeline, { kind: "dynamic", averageSize: AVERAGE });
    stream.write(BYTES.subarray(0, size));
    pipeline.abort();
    assert.equal(counts[Count.OPEN], 0);
    assert.equal(counts[Count.IN_HAND], 0);
    const count = heard.length;
    assert.throws(() => stream.write(BYTES), StateError);
    assert.throws(() => stream.finish(), StateError);
    assert.equal(heard.length, count);
  }
});

Deno.test("ChunkPipeline does without workers that do not start", async () => {
  const spawn = (name: string) =>
    new Worker("data:application/javascript,throw new Error('no')", { type: "module", name });
  const workers: ChunkWorkers = { count: 2, spawn, description: undefined };
  const pipeline = new ChunkPipeline({ handler: openHashHandler(), workers });
  const { stream, heard } = openHeard(pipeline, RULES[0]!);
  stream.write(BYTES);
  // Long enough for the error to arrive, which must not end the program.
  await new Promise((resolve) => setTimeout(resolve, 200));
  stream.finish();
  assert.deepEqual(heard, inlineChunks(RULES[0]!, BYTES));
  pipeline.finish();
});

for (const fate of ["ends", "hangs"]) {
  Deno.test(`ChunkPipeline throws in time when a worker ${fate} in the middle of a chunk`, () => {
    const counts = makeCounts();
    // Longer than any run: the memory of its chunk goes when this file has ended.
    const workers = hashWorkers(1, { delayMs: 86_400_000, counts: counts.buffer });
    const own = openHashHandler();
    let worker: Worker | undefined;
    const pipeline = new ChunkPipeline({
      handler: {
        handle(plain, start, size, stream) {
          if (worker !== undefined) {
            waitUntil(() => counts[Count.IN_HAND] === 1);
            if (fate === "ends") worker.terminate();
          }
          return own.handle(plain, start, size, stream);
        },
      },
      workers: {
        ...workers,
        timeoutMs: 50,
        spawn: (name) => worker = workers.spawn(name) as Worker,
      },
    });
    const { stream, heard } = openHeard(pipeline, RULES[0]!);
    const isExpected = (error: unknown) => error instanceof StateError && error.code === "timeout";
    const run = () => {
      stream.write(BYTES);
      stream.finish();
    };
    assert.throws(run, isExpected);
    assert.throws(run, isExpected);
    assert.equal(counts[Count.IN_HAND], 1);
    // What came before the lost chunk is right.
    assert.deepEqual(heard, inlineChunks(RULES[0]!, BYTES).slice(0, heard.length));
    pipeline.abort();
  });
}

Deno.test("ChunkPipeline cuts with workers what the chunker cuts", () => {
  const { pipeline } = parallelPipeline(1);
  const { stream, heard } = openHeard(pipeline, RULES[2]!);
  stream.write(BYTES);
  stream.finish();
  pipeline.finish();
  assert.deepEqual(heard, expectedChunks(BYTES, heard.map(({ size }) => size)));
});
