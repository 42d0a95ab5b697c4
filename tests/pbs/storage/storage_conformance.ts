/**
 * What every `Storage` must do, as a function that the tests of each implementation call.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ChunkDigest, parseDigest } from "#src/bytes/chunk_digest.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { LimitError, OsError, UsageError } from "#src/errors.ts";
import { allocateNativeBuffer, nativeBufferOf } from "#ffi/libc/calls.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { LocalChunkSource } from "#src/pbs/reading/local_chunk_source.ts";
import { ReadAhead } from "#src/pbs/reading/read_ahead.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { collectGarbage, readGcStatus } from "#src/pbs/gc/garbage_collection.ts";
import { isMissing } from "#src/io/files/files.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { Storage, StorageDescription } from "#src/pbs/storage/storage.ts";
import { describeStorageKeeper } from "#src/pbs/writing/storage_keeper.ts";
import { StoreChunkHandler } from "#src/pbs/writing/store_chunk_handler.ts";
import { Random } from "#tests/support/property_random.ts";
import { type Adding, type ExampleChunk, exampleChunk, persistently } from "./_example_chunks.ts";

const WORKER_URL = new URL("./storage_worker.ts", import.meta.url).href;
const ABSENT = parseDigest("0f".repeat(32));
const SIZES = [1, 12, 4095, 65_537, (1 << 20) + 3];
const STEP_COUNT = 1500;

/** A new storage for one test. */
export interface StorageFixture extends Disposable {
  readonly description: StorageDescription;
  /** Makes all chunks look as if they had not been used for days. */
  readonly ageChunks: () => void;
}

/** Registers the tests of a kind of storage. */
export function testStorage(name: string, make: () => StorageFixture): void {
  const test = (
    what: string,
    run: (description: StorageDescription, ageChunks: () => void) => void | Promise<void>,
  ) => {
    Deno.test(`A storage (${name}) ${what}`, async () => {
      using fixture = make();
      // It is sent to threads: what is lost by that nobody may need.
      await run(structuredClone(fixture.description), fixture.ageChunks);
    });
  };

  test("has nothing that was not stored", (description) => {
    using storage = opened(description);
    const { chunks } = storage;
    assert.equal(persistently(() => chunks.read(ABSENT)), -1);
    assert.equal(persistently(() => chunks.storedSize(ABSENT)), -1);
    assert.equal(persistently(() => chunks.touch(ABSENT)), -1);
    assert.equal(persistently(() => chunks.storedSize(ABSENT)), -1, "a touch makes nothing");
    assert.equal(chunks.placeOf(ABSENT), 0);
    chunks.expect(ABSENT);
  });

  test("gives back the bytes that were written, in each thread that opens it", (description) => {
    using writer = opened(description);
    using reader = opened(description);
    for (const [number, size] of SIZES.entries()) {
      const chunk = exampleChunk(1, number, size);
      write(writer, chunk);
      reader.chunks.expect(chunk.digest);
      assert.deepEqual(stored(reader, chunk.digest), bytesOf(chunk));
      assert.equal(persistently(() => reader.chunks.storedSize(chunk.digest)), size);
      assert.equal(persistently(() => reader.chunks.touch(chunk.digest)), size);
      assert.notEqual(reader.chunks.pathOf(chunk.digest), reader.chunks.pathOf(ABSENT));
    }
    // The first one again, which is smaller than what the buffer held last.
    const first = exampleChunk(1, 0, SIZES[0]);
    assert.deepEqual(stored(reader, first.digest), bytesOf(first));
  });

  test("replaces what is written again, and adds only what is not there", (description) => {
    using storage = opened(description);
    const [one, other] = [exampleChunk(2, 0, 500), exampleChunk(2, 1, 300)];
    const add = ({ buffer, start, size }: ExampleChunk) =>
      persistently(() => storage.chunks.add(one.digest, buffer, start, size));
    assert.equal(add(one), true);
    assert.equal(add(other), false);
    assert.deepEqual(stored(storage, one.digest), bytesOf(one));
    write(storage, { ...other, digest: one.digest });
    assert.deepEqual(stored(storage, one.digest), bytesOf(other));
  });

  test("keeps everything when it is closed and opened again", (description) => {
    const chunk = exampleChunk(3, 0);
    {
      using storage = opened(description);
      write(storage, chunk);
    }
    using storage = opened(description);
    assert.deepEqual(stored(storage, chunk.digest), bytesOf(chunk));
  });

  test("sets corrupt chunks aside, but not what took their place", (description) => {
    using storage = opened(description);
    const { chunks } = storage;
    const { quarantine } = chunks;
    if (quarantine === undefined) return;
    const [corrupt, sound] = [exampleChunk(4, 0), {
      ...exampleChunk(4, 1),
      digest: exampleChunk(4, 0).digest,
    }];
    const { digest } = corrupt;
    write(storage, corrupt);
    const place = chunks.placeOf(digest);
    write(storage, sound);
    // Where an answer was lost it was written twice, and a file system may use a number again.
    if (chunks.placeOf(digest) !== place) {
      assert.equal(quarantine.setAside(digest, place), undefined);
    }
    assert.deepEqual(stored(storage, digest), bytesOf(sound));
    const aside = quarantine.setAside(digest, chunks.placeOf(digest));
    assert.equal(typeof aside, "string");
    assert.equal(persistently(() => chunks.storedSize(digest)), -1);
    quarantine.touch(digest);
    write(storage, corrupt);
    assert.deepEqual(stored(storage, digest), bytesOf(corrupt));
  });

  test("does the same as a map, whatever is done in which order", (description) => {
    using one = opened(description);
    using other = opened(description);
    const random = new Random(5);
    const model = new Map<ChunkDigest, Uint8Array>();
    for (let step = 0; step < STEP_COUNT; step++) {
      const storage = random.pick([one, other]);
      const { digest } = exampleChunk(6, random.between(0, 20));
      const content = exampleChunk(7, step, random.between(1, 2000));
      const known = model.get(digest);
      switch (random.between(0, 4)) {
        case 0:
          write(storage, { ...content, digest });
          model.set(digest, bytesOf(content));
          break;
        case 1: {
          const { buffer, start, size } = content;
          const isNew = persistently(() => storage.chunks.add(digest, buffer, start, size));
          assert.equal(isNew, known === undefined);
          if (isNew) model.set(digest, bytesOf(content));
          break;
        }
        case 2:
          assert.deepEqual(stored(storage, digest), known);
          break;
        case 3:
          assert.equal(persistently(() => storage.chunks.touch(digest)), known?.length ?? -1);
          break;
        case 4:
          assert.equal(persistently(() => storage.chunks.storedSize(digest)), known?.length ?? -1);
          break;
      }
    }
  });

  test("replaces, lists and removes files by name", (description) => {
    using storage = opened(description);
    using other = opened(description);
    const { files } = storage;
    const read = (name: string) => persistently(() => other.files.read(name, 1 << 20));
    const kinds = (folder: string) => {
      const entries = persistently(() => other.files.list(folder));
      return Object.fromEntries(entries.map(({ name, kind }) => [name, kind]));
    };
    assert.deepEqual(kinds("host"), {});
    assert.equal(persistently(() => files.status("host")), undefined);
    assert.throws(() => read("host/a"), isMissing);
    assert.equal(persistently(() => files.makeFolder("host")), true);
    assert.equal(persistently(() => files.makeFolder("host")), false);
    assert.equal(persistently(() => files.makeFolder("host/b")), true);
    for (const [number, name] of ["host/a", "host/b/index.json.blob", "host/c"].entries()) {
      const [old, bytes] = [new Random(number).bytes(9), new Random(number).bytes(4000 * number)];
      persistently(() => files.replace(name, old));
      assert.deepEqual(read(name), old);
      persistently(() => number === 1 ? files.commit(name, bytes) : files.replace(name, bytes));
      assert.deepEqual(read(name), bytes);
      assert.deepEqual(persistently(() => other.files.status(name)), {
        kind: "file",
        size: bytes.length,
      });
      const source = persistently(() => other.files.open(name));
      const buffer = allocateNativeBuffer(10);
      assert.equal(source.size, bytes.length);
      assert.equal(source.readAt(buffer, 2, 8, 100), bytes.length === 0 ? 0 : 8);
      assert.deepEqual(
        buffer.bytes.slice(2, 10),
        bytes.length === 0 ? new Uint8Array(8) : bytes.slice(100, 108),
      );
      source.close();
    }
    assert.throws(() => persistently(() => files.read("host/c", 7999)), LimitError);
    assert.deepEqual(kinds("host"), { a: "file", b: "folder", c: "file" });
    assert.equal(persistently(() => files.remove("host/a")), true);
    assert.equal(persistently(() => files.remove("host/a")), false);
    assert.equal(persistently(() => files.remove("host/b")), false, "a folder is no file");
    assert.throws(() => persistently(() => files.removeFolder("host/b")), OsError);
    assert.deepEqual(kinds("host"), { b: "folder", c: "file" });
    persistently(() => files.removeFolderTree("host"));
    assert.equal(persistently(() => files.status("host")), undefined);
    assert.equal(persistently(() => files.status("host/b")), undefined);
    persistently(() => files.removeFolder("host"));
    assert.throws(() => persistently(() => files.replace("host/a", new Uint8Array(1))), OsError);
  });

  test("loses what no index names and nobody used, and nothing else", (description, ageChunks) => {
    using storage = opened(description);
    const store = Datastore.over(storage, "write");
    if (storage.garbage === undefined) {
      assert.throws(() => collectGarbage(store), UsageError);
      return;
    }
    const chunks = Array.from({ length: 5 }, (_, number) => exampleChunk(10, number));
    const [named, , touched, added, corrupt] = chunks;
    for (const chunk of chunks) write(storage, chunk);
    const folders = ["host", "host/a", "host/a/2026-01-01T00:00:00Z"];
    for (const folder of folders) persistently(() => storage.files.makeFolder(folder));
    const index = `${folders.at(-1)}/root.pxar.didx`;
    persistently(() => storage.files.replace(index, indexOf(named!.digest)));
    const { quarantine } = storage.chunks;
    quarantine?.setAside(corrupt!.digest, storage.chunks.placeOf(corrupt!.digest));
    const collect = () =>
      persistently(() => collectGarbage(store, { checkAccessTimes: false, keepMinutes: 60 }));
    collect();
    assert.deepEqual(
      chunks.slice(0, 4).map((chunk) => isThere(storage, chunk)),
      Array(4).fill(true),
    );
    ageChunks();
    persistently(() => storage.chunks.touch(touched!.digest));
    write(storage, added!);
    const status = collect();
    assert.equal(status.indexFileCount, 1);
    assert.equal(status.indexDataBytes, 4096);
    assert.equal(status.diskChunks, 3);
    assert.deepEqual(persistently(() => readGcStatus(store)), status);
    assert.deepEqual(chunks.map((chunk) => isThere(storage, chunk)), [
      true,
      false,
      true,
      true,
      false,
    ]);
    for (const chunk of [named!, touched!, added!]) {
      assert.deepEqual(stored(storage, chunk.digest), bytesOf(chunk));
    }
    ageChunks();
    persistently(() => storage.files.remove(index));
    collect();
    assert.deepEqual(chunks.map((chunk) => isThere(storage, chunk)), Array(5).fill(false));
  });

  test("is opened by other threads, of which each new chunk is one's", async (description) => {
    const [seed, count] = [8, 300];
    const counts = await Promise.all([1, 2].map(() => addInThread({ description, seed, count })));
    assert.equal(counts[0]! + counts[1]!, count);
    using storage = opened(description);
    for (let number = 0; number < count; number++) {
      const chunk = exampleChunk(seed, number);
      assert.deepEqual(stored(storage, chunk.digest), bytesOf(chunk));
    }
  });

  test("takes the chunks of a backup and gives them to a reader that reads ahead", (description) => {
    const [count, size] = [24, 40_000];
    const plain = nativeBufferOf(new Random(9).bytes(count * size));
    const handler = new StoreChunkHandler({
      keeper: describeStorageKeeper(description, false),
      key: undefined,
    });
    const digests = Array.from(
      { length: count },
      (_, number) => persistently(() => handler.handle(plain, number * size, size)).digest,
    );
    handler.close();
    using storage = opened(description);
    const chunks = new LocalChunkSource({
      store: storage.chunks,
      codec: new BlobCodec(nativeCodecs()),
      isEncrypted: false,
      crypt: undefined,
    });
    const ahead = new ReadAhead({
      source: { storage: description, isEncrypted: false, key: undefined },
      chunks,
      spawn: (name) => new Worker(WORKER_URL, { type: "module", name }),
      allocate: allocateNativeBuffer,
      startBytes: 0,
    });
    for (const [number, digest] of digests.entries()) {
      for (const next of digests.slice(number, number + 3)) {
        ahead.expect(next, size, () => storage.chunks.expect(next));
      }
      const target = allocateNativeBuffer(size);
      const loaded = ahead.take(digest, size);
      if (loaded === undefined) persistently(() => chunks.load(digest, size, target, 0));
      const { bytes } = loaded ?? target;
      const expected = plain.bytes.subarray(number * size, (number + 1) * size);
      assert.deepEqual(bytes.subarray(0, size), expected);
    }
    ahead.close();
  });
}

function opened(description: StorageDescription): Storage & Disposable {
  const storage = openStorage(description);
  return Object.assign(storage, { [Symbol.dispose]: () => storage.close() });
}

function isThere({ chunks }: Storage, { digest }: ExampleChunk): boolean {
  return persistently(() => chunks.storedSize(digest)) >= 0;
}

/** An index of one chunk. */
function indexOf(digest: ChunkDigest): Uint8Array<ArrayBuffer> {
  const builder = new DynamicIndexBuilder();
  builder.add(digest, 4096);
  return builder.finish({ uuid: new Uint8Array(16), ctime: 1 }, sha256Of).bytes;
}

function write({ chunks }: Storage, { digest, buffer, start, size }: ExampleChunk): void {
  persistently(() => chunks.write(digest, buffer, start, size));
}

function bytesOf({ buffer, start, size }: ExampleChunk): Uint8Array {
  return buffer.bytes.slice(start, start + size);
}

function stored({ chunks }: Storage, digest: ChunkDigest): Uint8Array | undefined {
  const size = persistently(() => chunks.read(digest));
  return size < 0 ? undefined : chunks.buffer.bytes.slice(0, size);
}

/** @returns the number of chunks that were new */
function addInThread(adding: Adding): Promise<number> {
  const worker = new Worker(WORKER_URL, { type: "module", name: "adding" });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(adding);
  return promise.finally(() => worker.terminate());
}
