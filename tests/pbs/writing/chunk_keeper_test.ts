import "../storage/_storage_kinds.ts";
import assert from "node:assert/strict";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { allocateNativeBuffer } from "#ffi/libc/files.ts";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { ChunkRecord } from "#src/chunking/chunk_handler.ts";
import { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { UsageError } from "#src/errors.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { LocalChunkSource } from "#src/pbs/reading/local_chunk_source.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import { openKeeper, registerKeeper } from "#src/pbs/writing/open_keeper.ts";
import { StoreChunkHandler } from "#src/pbs/writing/store_chunk_handler.ts";
import { sleep } from "#src/threads/waiting.ts";
import { Random } from "#tests/support/property_random.ts";
import { createMemory } from "../storage/_memory_storage.ts";
import {
  Cell,
  describeThreadKeeper,
  KEEPER_NAME,
  type KeeperStart,
  ThreadKeeper,
  type ThreadKeeperDescription,
} from "./_thread_keeper.ts";

registerKeeper<ThreadKeeperDescription>("thread", (description) => new ThreadKeeper(description));

const WORKER_URL = new URL("./keeper_worker.ts", import.meta.url).href;
const AVERAGE_SIZE = 16 << 10;
const CONTENT = new Random(11).bytes(3_000_000);

function spawn(name: string): Worker {
  return new Worker(WORKER_URL, { type: "module", name });
}

/** Starts the thread that keeps. */
async function startKeeper(start: KeeperStart): Promise<Disposable> {
  const worker = spawn(KEEPER_NAME);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.onmessage = () => resolve();
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(start);
  await promise;
  return { [Symbol.dispose]: () => worker.terminate() };
}

/** Waits until another thread encodes, too. */
function waitForHelp({ cells }: ThreadKeeperDescription): void {
  for (let waitedMs = 0; cells[Cell.LANES_TAKEN]! < 2 && waitedMs < 60_000; waitedMs++) sleep(1);
}

/** Sends bytes through a pipeline whose chunks two more threads encode. */
function store(keeper: ThreadKeeperDescription, content: Uint8Array): ChunkRecord[] {
  const description = { keeper, key: undefined };
  const own = new StoreChunkHandler(description);
  let isHelped = false;
  const pipeline = new ChunkPipeline({
    handler: {
      handle: (plain, start, size, stream) => {
        if (isHelped) waitForHelp(keeper);
        return own.handle(plain, start, size, stream);
      },
    },
    workers: {
      count: 2,
      spawn: (name) => {
        isHelped = true;
        return spawn(name);
      },
      startBytes: 0,
      description,
    },
  });
  const records: ChunkRecord[] = [];
  try {
    const rule = { kind: "dynamic", averageSize: AVERAGE_SIZE } as const;
    const stream = pipeline.openStream(rule, (record) => records.push(record));
    stream.write(content);
    stream.finish();
    pipeline.finish();
  } catch (error) {
    pipeline.abort();
    throw error;
  }
  return records;
}

Deno.test("chunks that several threads encode are kept by one other thread", async () => {
  const description = createMemory(16 << 20);
  const keeper = describeThreadKeeper();
  using _ = await startKeeper({ keeper, storage: description });
  const records = store(keeper, CONTENT);
  assert.equal(records.every(({ isNew }) => isNew), true);
  assert.equal(keeper.cells[Cell.KEPT], records.length);
  assert.equal(keeper.cells[Cell.LANES_TAKEN]! >= 2, true);
  const storage = openStorage(description);
  const chunks = new LocalChunkSource({
    store: storage.chunks,
    codec: new BlobCodec(nativeCodecs()),
    isEncrypted: false,
    crypt: undefined,
  });
  let offset = 0;
  for (const { digest, size, storedSize } of records) {
    const target = allocateNativeBuffer(size);
    chunks.load(digest, size, target, 0);
    assert.deepEqual(target.bytes, CONTENT.slice(offset, offset + size));
    assert.equal(storage.chunks.storedSize(digest), storedSize);
    offset += size;
  }
  assert.equal(offset, CONTENT.length);

  // What is known need not be handed over.
  const known = records.slice(1).map(({ digest }): ChunkDigest => digest);
  const again = describeThreadKeeper(known);
  using _again = await startKeeper({ keeper: again, storage: description });
  const repeated = store(again, CONTENT);
  assert.deepEqual(repeated.map(({ digest }) => digest), records.map(({ digest }) => digest));
  assert.equal(repeated.some(({ isNew }) => isNew), false);
  assert.equal(again.cells[Cell.KEPT], 1);
});

Deno.test("a backup fails with what the thread that keeps its chunks failed with", async () => {
  const keeper = describeThreadKeeper();
  using _ = await startKeeper({ keeper, storage: createMemory(16 << 20), failAt: 20 });
  assert.throws(() => store(keeper, CONTENT), { message: "the server said no" });
});

Deno.test("openKeeper() refuses kinds that this thread does not know", () => {
  assert.throws(() => openKeeper({ kind: "tape" }), { name: UsageError.name, message: /"tape"/ });
});
