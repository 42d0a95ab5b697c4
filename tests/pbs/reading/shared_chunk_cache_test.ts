import assert from "node:assert/strict";
import { IntegrityError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { loadWanted, SharedChunkCache } from "#src/pbs/reading/shared_chunk_cache.ts";
import {
  ChunkSlots,
  createSharedChunkMemory,
  type SharedChunkMemory,
} from "#src/pbs/reading/shared_chunk_memory.ts";
import { Random } from "#tests/support/property_random.ts";
import { checkCopy, NumberedChunks, numberedDigest, numberedSize } from "./_shared_chunks.ts";

const BUDGET = 256 << 10;

/** What one of several threads has. */
function makeThread(memory: SharedChunkMemory, options: { loadTimeoutMs?: number } = {}) {
  const chunks = new NumberedChunks();
  const cache = new SharedChunkCache({
    memory,
    chunks,
    allocate: allocateNativeBuffer,
    ...options,
  });
  return { chunks, cache };
}

function startWorker(message: Record<string, unknown>): Worker {
  const url = new URL("./shared_chunks_worker.ts", import.meta.url).href;
  const worker = new Worker(url, { type: "module" });
  worker.postMessage({ roundCount: 1, ...message });
  return worker;
}

function answerOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}

Deno.test("SharedChunkCache loads a chunk once for all threads", () => {
  const memory = createSharedChunkMemory(BUDGET);
  const threads = [makeThread(memory), makeThread(memory), makeThread(memory)];
  for (let round = 0; round < 9; round++) checkCopy(threads[round % 3]!.cache, 5, round, 100);
  assert.deepEqual(threads.map(({ chunks }) => chunks.loaded), [[5], [], []]);
});

Deno.test("SharedChunkCache gives the right bytes, within the budget, whoever asks", () => {
  for (let seed = 0; seed < 5; seed++) {
    const memory = createSharedChunkMemory(BUDGET);
    const slots = new ChunkSlots(memory);
    const threads = [makeThread(memory), makeThread(memory)];
    const random = new Random(seed);
    for (let round = 0; round < 500; round++) {
      const number = random.between(0, 19);
      const from = random.between(0, numberedSize(number));
      checkCopy(random.pick(threads).cache, number, from, numberedSize(number) - from);
      assert.ok(slots.writtenBytes <= BUDGET, `${slots.writtenBytes} bytes`);
    }
    const loadCount = threads.reduce((sum, { chunks }) => sum + chunks.loaded.length, 0);
    assert.ok(loadCount < 500, "nothing was kept");
  }
});

Deno.test("SharedChunkCache keeps what was used last", () => {
  const memory = createSharedChunkMemory(BUDGET);
  const { cache, chunks } = makeThread(memory);
  for (let number = 1; number < 60; number++) {
    checkCopy(cache, 0, 0, 10);
    checkCopy(cache, number, 0, 10);
  }
  assert.equal(chunks.loaded.filter((number) => number === 0).length, 1);
});

Deno.test("SharedChunkCache does not keep chunks that could not be loaded", () => {
  const memory = createSharedChunkMemory(BUDGET);
  const threads = [makeThread(memory), makeThread(memory)];
  threads[0]!.chunks.damaged.add(3);
  threads[1]!.chunks.damaged.add(3);
  for (let round = 0; round < 40; round++) {
    assert.throws(() => checkCopy(threads[round % 2]!.cache, 3), IntegrityError);
  }
  assert.equal(threads[0]!.chunks.loaded.length, 20);
  threads[1]!.chunks.damaged.clear();
  checkCopy(threads[1]!.cache, 3);
  checkCopy(threads[0]!.cache, 3);
  assert.equal(threads[0]!.chunks.loaded.length, 20);
});

Deno.test("SharedChunkCache loads a chunk that is too large to be kept", () => {
  const memory = createSharedChunkMemory(4096);
  const { cache, chunks } = makeThread(memory);
  checkCopy(cache, 8);
  checkCopy(cache, 8, 100, 50);
  assert.deepEqual(chunks.loaded, [8, 8]);
});

Deno.test("SharedChunkCache does without room that others use", () => {
  // Every chunk is larger than half of it.
  const memory = createSharedChunkMemory(64 << 10);
  const [first, second] = [makeThread(memory), makeThread(memory)];
  const large = [...Array(100).keys()].filter((number) => numberedSize(number) > 33 << 10);
  first.chunks.whileLoading = () => checkCopy(second.cache, large[1]!);
  checkCopy(first.cache, large[0]!);
  assert.deepEqual(second.chunks.loaded, [large[1]]);
});

Deno.test("SharedChunkCache loads what was announced when there is time, and once", () => {
  const memory = createSharedChunkMemory(BUDGET);
  let loaderCount = 0;
  const chunks = new NumberedChunks();
  const makeCache = () =>
    new SharedChunkCache({
      memory,
      chunks,
      allocate: allocateNativeBuffer,
      startLoader: () => loaderCount++,
      startBytes: 2 * numberedSize(1),
    });
  const caches = [makeCache(), makeCache()];
  const announced: number[] = [];
  const expect = (cache: number, number: number) =>
    caches[cache]!.expect(
      numberedDigest(number),
      numberedSize(number),
      () => void announced.push(number),
    );
  assert.equal(expect(0, 1), false, "too little was read in order");
  assert.equal(expect(0, 2), true);
  assert.equal(expect(1, 2), true);
  assert.equal(expect(1, 3), true);
  assert.deepEqual(announced, [2, 3], "each once");
  assert.equal(loaderCount, 1);
  const slots = new ChunkSlots(memory);
  chunks.damaged.add(3);
  assert.equal(loadWanted(slots, chunks), true);
  assert.equal(loadWanted(slots, chunks), true);
  assert.equal(loadWanted(slots, chunks), false);
  checkCopy(caches[0]!, 2);
  assert.deepEqual(chunks.loaded.toSorted(), [2, 3]);
  assert.throws(() => checkCopy(caches[1]!, 3), IntegrityError);
});

Deno.test("SharedChunkCache reads what was announced by itself where no thread can be started", () => {
  const chunks = new NumberedChunks();
  const cache = new SharedChunkCache({
    memory: createSharedChunkMemory(BUDGET),
    chunks,
    allocate: allocateNativeBuffer,
    startLoader: () => {
      throw new Error("no thread");
    },
    startBytes: 0,
  });
  assert.equal(cache.expect(numberedDigest(2), numberedSize(2), () => {}), true);
  checkCopy(cache, 2);
  assert.deepEqual(chunks.loaded, [2]);
});

Deno.test("SharedChunkCache gives several threads the right bytes at once", async () => {
  const memory = createSharedChunkMemory(BUDGET);
  const options = { memory, chunkCount: 25, roundCount: 1500 };
  const workers = [1, 2, 3].map((seed) => startWorker({ ...options, seed }));
  const loadCounts = await Promise.all(workers.map(answerOf));
  for (const worker of workers) worker.terminate();
  for (const loadCount of loadCounts) assert.ok((loadCount as number) < 1500);
  assert.ok(new ChunkSlots(memory).writtenBytes <= BUDGET);
});

Deno.test("SharedChunkCache does not wait for ever for a thread that ended while it loaded", async () => {
  const memory = createSharedChunkMemory(BUDGET);
  const worker = startWorker({ memory, seed: 1, chunkCount: 1, hangs: true });
  assert.equal(await answerOf(worker), "loading");
  worker.terminate();
  const { cache, chunks } = makeThread(memory, { loadTimeoutMs: 50 });
  for (let round = 0; round < 3; round++) checkCopy(cache, 0);
  // The first time what it had waited for; then the chunk has a slot again.
  assert.deepEqual(chunks.loaded, [0, 0]);
});

Deno.test("SharedChunkCache loads no chunk that another thread is loading", async () => {
  const memory = createSharedChunkMemory(BUDGET);
  const { cache, chunks } = makeThread(memory);
  const worker = startWorker({ memory, seed: 2, chunkCount: 1, roundCount: 50 });
  const answer = answerOf(worker);
  checkCopy(cache, 0);
  const loadCount = await answer;
  worker.terminate();
  assert.equal(chunks.loaded.length + (loadCount as number), 1);
});

Deno.test("SharedChunkCache goes on without shared memory when a thread ended with the lock", () => {
  const memory = createSharedChunkMemory(BUDGET);
  const { cache, chunks } = makeThread(memory);
  checkCopy(cache, 1);
  const slots = new ChunkSlots(memory);
  assert.equal(slots.lock(), true);
  checkCopy(cache, 1);
  checkCopy(cache, 1);
  assert.deepEqual(chunks.loaded, [1, 1, 1]);
  assert.equal(loadWanted(slots, chunks), false);
});
