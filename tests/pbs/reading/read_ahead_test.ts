import assert from "node:assert/strict";
import { IntegrityError, StateError } from "#src/errors.ts";
import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { ReadAheadThread } from "#src/pbs/snapshot_types.ts";
import { parseNamespace, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { ReadAhead } from "#src/pbs/reading/read_ahead.ts";
import type { LocalSnapshotReader } from "#src/pbs/snapshots/local_snapshot_reader.ts";
import { startStoreThread } from "#src/pbs/thread_start.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { FATES, HangingThread } from "../_hanging_thread.ts";

const GROUP = { ns: parseNamespace(""), type: "host", id: "a" } as const;
const NAME = "root.ppxar.didx";
const CRYPT = new CryptConfig(new Uint8Array(32).fill(9));
const STEP_SIZE = 30_000;
const THREAD: ReadAheadThread = { startBytes: 0 };

interface Example {
  readonly store: Datastore;
  readonly id: SnapshotId;
  readonly bytes: Uint8Array;
}

function makeExample(directory: TempDirectory, crypt?: CryptConfig): Example {
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(directory.join("store"), { access: "write", syncLevel: "none" });
  const bytes = new Random(12).bytes(8_000_000);
  bytes.fill(5, 2_000_000, 4_000_000);
  const writer = store.startSnapshot(
    crypt === undefined ? { group: GROUP } : { group: GROUP, crypt },
  );
  const stream = writer.openDynamic(NAME, { kind: "dynamic", averageSize: 64 << 10 });
  stream.write(bytes);
  stream.finish();
  return { store, id: writer.finish().id, bytes };
}

function readInOrder(reader: LocalSnapshotReader, bytes: Uint8Array): void {
  const source = reader.openArchive(NAME);
  const buffer = allocateNativeBuffer(STEP_SIZE);
  for (let offset = 0; offset < bytes.length; offset += STEP_SIZE) {
    const count = source.readAt(buffer, 0, STEP_SIZE, offset);
    assert.deepEqual(buffer.bytes.subarray(0, count), bytes.subarray(offset, offset + STEP_SIZE));
  }
}

for (const crypt of [undefined, CRYPT]) {
  Deno.test(`ReadAhead gives the same bytes as reading without, ${crypt ? "" : "not "}encrypted`, () => {
    using directory = new TempDirectory("ahead");
    const { store, id, bytes } = makeExample(directory, crypt);
    let threadCount = 0;
    const reader = store.openSnapshot(id, {
      crypt,
      cacheBytes: 1 << 20,
      readAhead: {
        startBytes: 1 << 20,
        spawn: (name) => {
          threadCount++;
          return startStoreThread(name);
        },
      },
    });
    for (let round = 0; round < 3; round++) readInOrder(reader, bytes);
    const source = reader.openArchive(NAME);
    const random = new Random(3);
    const buffer = allocateNativeBuffer(700_000);
    for (let round = 0; round < 200; round++) {
      const offset = random.between(0, bytes.length);
      const size = random.between(0, random.oneIn(4) ? 700_000 : 10_000);
      const count = source.readAt(buffer, 0, size, offset);
      assert.equal(count, Math.min(size, bytes.length - offset));
      assert.deepEqual(buffer.bytes.subarray(0, count), bytes.subarray(offset, offset + count));
    }
    reader.close();
    reader.close();
    assert.equal(threadCount, 1);
    store.close();
  });
}

Deno.test("ReadAhead leaves what is wrong with a chunk to be said by the one who wants it", () => {
  using directory = new TempDirectory("ahead");
  const { store, id, bytes } = makeExample(directory);
  const index = store.openSnapshot(id);
  const didx = index.dynamicIndex(NAME);
  index.close();
  const path = store.storage.chunks.pathOf(didx.digestOf(20));
  const good = Deno.readFileSync(path);
  const damages: [() => void, new (...parameters: never[]) => Error][] = [
    [
      () => Deno.writeFileSync(path, good.map((byte, offset) => offset === 99 ? byte ^ 1 : byte)),
      IntegrityError,
    ],
    [() => Deno.writeFileSync(path, good.subarray(0, 7)), IntegrityError],
    [() => Deno.removeSync(path), StateError],
  ];
  for (const [damage, kind] of damages) {
    damage();
    const reader = store.openSnapshot(id, { readAhead: THREAD });
    assert.throws(() => readInOrder(reader, bytes), kind);
    // What comes behind it can still be read.
    const buffer = allocateNativeBuffer(10);
    reader.openArchive(NAME).readAt(buffer, 0, 10, didx.endOf(20));
    assert.deepEqual(buffer.bytes, bytes.slice(didx.endOf(20), didx.endOf(20) + 10));
    Deno.writeFileSync(path, good);
    readInOrder(reader, bytes);
    reader.close();
  }
  store.close();
});

for (const fate of FATES) {
  Deno.test(`ReadAhead waits only for a time for a thread that ${fate} while it loads`, () => {
    const storePath = Deno.makeTempDirSync({ prefix: "pbkfs-ahead-" });
    const thread = new HangingThread(storePath, fate);
    const storage = { kind: "directory", path: storePath };
    const loaded: string[] = [];
    const ahead = new ReadAhead({
      source: { storage, isEncrypted: false, key: undefined },
      chunks: { load: (digest) => void loaded.push(digest), has: () => true },
      spawn: thread.spawn,
      allocate: allocateNativeBuffer,
      startBytes: 0,
      timeoutMs: 50,
    });
    const digests = [1, 2, 3].map((byte) => digestOf(new Uint8Array(32).fill(byte)));
    const announced: string[] = [];
    const expect = (digest: ChunkDigest) =>
      ahead.expect(digest, 10, () => void announced.push(digest));
    for (const digest of digests) assert.equal(expect(digest), true);
    assert.equal(expect(digests[1]!), false);
    assert.deepEqual(announced, digests, "each once");
    thread.waitForJob();
    // The second is loaded here; the first is in the hand of the thread, which was to take the
    // oldest.
    assert.equal(ahead.take(digests[1]!, 10)?.bytes.length, 10);
    assert.equal(ahead.take(digests[0]!, 10), undefined);
    assert.deepEqual(loaded, [digests[1], digests[2]]);
    // From now on nothing is read ahead.
    assert.equal(ahead.take(digests[2]!, 10), undefined);
    assert.equal(expect(digests[2]!), false);
    ahead.close();
    Deno.removeSync(storePath, { recursive: true });
  });
}

Deno.test("ReadAhead does without a thread that never starts, and ends one in the middle", () => {
  using directory = new TempDirectory("ahead");
  const { store, id, bytes } = makeExample(directory);
  const silent = { terminate() {}, postMessage() {} } as unknown as Worker;
  const reader = store.openSnapshot(id, { readAhead: { startBytes: 0, spawn: () => silent } });
  readInOrder(reader, bytes);
  reader.close();
  for (let round = 0; round < 10; round++) {
    const other = store.openSnapshot(id, { readAhead: THREAD });
    const source = other.openArchive(NAME);
    const buffer = allocateNativeBuffer(STEP_SIZE);
    for (let offset = 0; offset < 400_000 * round; offset += STEP_SIZE) {
      source.readAt(buffer, 0, STEP_SIZE, offset);
    }
    other.close();
  }
  store.close();
});
