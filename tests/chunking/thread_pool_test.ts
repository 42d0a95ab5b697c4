import assert from "node:assert/strict";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { ChunkThreadPool } from "#src/chunking/thread_pool.ts";
import { type HeardChunk, openHeard } from "./support/cut_streams.ts";
import {
  Count,
  type HashHandlerDescription,
  makeCounts,
  openHashHandler,
} from "./support/hash_handler.ts";
import { seededBytes } from "./support/random_bytes.ts";
import { hashWorkers } from "./support/worker_options.ts";

const RULE = { kind: "fixed", chunkSize: 16 << 10 } as const;
const BYTES = seededBytes(2 << 20, 7);
const CHUNK_COUNT = BYTES.length / RULE.chunkSize;
const TIMEOUT_MS = 20_000;

/**
 * A pool of threads that hash, the names of all it has started, and how many of these have ended.
 */
function countedPool(count: number) {
  const started: string[] = [];
  let endedCount = 0;
  const pool = new ChunkThreadPool(count, (name) => {
    started.push(name);
    const worker = hashWorkers(count).spawn(name) as Worker;
    const { postMessage } = worker;
    worker.postMessage = (message: unknown) => {
      if (message === "end") endedCount++;
      postMessage.call(worker, message);
    };
    return worker;
  });
  return { pool, started, ended: () => endedCount };
}

/** Waits until `condition`, with the event loop running: threads end by messages. */
async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition() && waitedMs < TIMEOUT_MS; waitedMs += 5) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition());
}

/**
 * A pipeline of which the first `waitedFor` chunks are handled by threads of the pool, which may be
 * on their way.
 */
class PooledPipeline {
  readonly counts = makeCounts();
  readonly #pipeline: ChunkPipeline;
  readonly #stream;

  constructor(pool: ChunkThreadPool, workersAreNeeded = true) {
    const description: HashHandlerDescription = { counts: this.counts.buffer, delayMs: 1 };
    const own = openHashHandler({ counts: this.counts.buffer });
    this.#pipeline = new ChunkPipeline({
      handler: {
        ...own,
        handle: (plain, start, size, stream) => {
          const isShared = this.counts[Count.CHUNKS]! * RULE.chunkSize >= pool.startBytes;
          if (workersAreNeeded && isShared) this.#waitForWorker();
          return own.handle(plain, start, size, stream);
        },
      },
      workers: { count: pool.count, spawn: pool.spawn, startBytes: pool.startBytes, description },
    });
    this.#stream = openHeard(this.#pipeline, RULE);
  }

  start(): void {
    this.#stream.stream.write(BYTES);
  }

  finish(): readonly HeardChunk[] {
    this.#stream.stream.finish();
    this.#pipeline.finish();
    return this.#stream.heard;
  }

  #waitForWorker(): void {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let ms = 0; Atomics.load(this.counts, Count.OPENED) === 1 && ms < TIMEOUT_MS; ms++) {
      Atomics.wait(cell, 0, 0, 1);
    }
  }
}

function inlineChunks(): readonly HeardChunk[] {
  const pipeline = new ChunkPipeline({ handler: openHashHandler() });
  const { stream, heard } = openHeard(pipeline, RULE);
  stream.write(BYTES);
  stream.finish();
  pipeline.finish();
  return heard;
}

Deno.test("ChunkThreadPool lends the same threads to one pipeline after the other", async () => {
  const { pool, started, ended } = countedPool(2);
  assert.deepEqual(started, ["chunks-0", "chunks-1"]);
  const wanted = inlineChunks();
  for (let round = 0; round < 5; round++) {
    const pipeline = new PooledPipeline(pool);
    pipeline.start();
    assert.deepEqual(pipeline.finish(), wanted);
    assert.equal(pipeline.counts[Count.CHUNKS], CHUNK_COUNT);
    assert.ok(pipeline.counts[Count.OPENED]! > 1, "no thread had anything to do");
    assert.equal(pipeline.counts[Count.OPEN], 0);
  }
  assert.equal(started.length, 2);
  assert.equal(ended(), 0);
  pool[Symbol.dispose]();
  await until(() => ended() === 2);
});

Deno.test("ChunkThreadPool starts further threads for pipelines at the same time, which end with these", async () => {
  const { pool, started, ended } = countedPool(1);
  const [one, other] = [new PooledPipeline(pool), new PooledPipeline(pool)];
  one.start();
  other.start();
  assert.equal(started.length, 2);
  assert.deepEqual(one.finish(), other.finish());
  assert.equal(ended(), 1);
  pool[Symbol.dispose]();
  await until(() => ended() === 2);
});

Deno.test("ChunkThreadPool that is disposed of ends the threads that it has lent when they come back", async () => {
  const { pool, ended } = countedPool(1);
  const pipeline = new PooledPipeline(pool);
  pipeline.start();
  pool[Symbol.dispose]();
  assert.equal(ended(), 0);
  assert.equal(pipeline.finish().length, CHUNK_COUNT);
  await until(() => ended() === 1);
});

Deno.test("ChunkThreadPool lends no thread that did not start", async () => {
  let startedCount = 0;
  const start = (name: string) => {
    const isBroken = startedCount++ === 0;
    return isBroken
      ? new Worker("data:application/javascript,throw new Error('no')", { type: "module", name })
      : hashWorkers(1).spawn(name) as Worker;
  };
  using pool = new ChunkThreadPool(1, start);
  const first = new PooledPipeline(pool, false);
  first.start();
  assert.equal(first.finish().length, CHUNK_COUNT);
  // Until the error has arrived the pool lends the thread again and again.
  await until(() => {
    const next = new PooledPipeline(pool, false);
    next.start();
    return next.finish().length === CHUNK_COUNT && startedCount === 2;
  });
});
