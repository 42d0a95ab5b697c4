import "./_storage_kinds.ts";
import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { Random } from "#tests/support/property_random.ts";
import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import { ageChunks } from "#tests/support/pbs_activity.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ageMemory, createMemory } from "./_memory_storage.ts";
import type { UnreliableDescription } from "./_unreliable_storage.ts";
import { type StorageFixture, testStorage } from "./storage_conformance.ts";

const MEMORY_SIZE = 16 << 20;
const CRYPT = new CryptConfig(new Uint8Array(32).fill(9));

function directoryFixture(syncLevel: "none" | "file"): StorageFixture {
  const directory = new TempDirectory("storage");
  Deno.mkdirSync(directory.join(".chunks"));
  const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  const description: DirectoryDescription = {
    kind: "directory",
    path: directory.path,
    writing: { owner, syncLevel },
    locking: { owner, serverPath: undefined, timeoutMs: 10_000 },
  };
  return {
    description,
    ageChunks: () => ageChunks(directory.path, () => false),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function memoryFixture(): StorageFixture {
  const description = createMemory(MEMORY_SIZE);
  return { description, ageChunks: () => ageMemory(description, 86_400), [Symbol.dispose]() {} };
}

function unreliableFixture(seed: number, inner: StorageFixture): StorageFixture {
  const description: UnreliableDescription = {
    kind: "unreliable",
    inner: inner.description,
    seed,
    failOneIn: 8,
  };
  return { ...inner, description, [Symbol.dispose]: () => inner[Symbol.dispose]() };
}

testStorage("directory", () => directoryFixture("none"));
testStorage("directory, each file synced", () => directoryFixture("file"));
testStorage("memory", memoryFixture);
for (const seed of [1, 2, 3]) {
  testStorage(`unreliable memory, seed ${seed}`, () => unreliableFixture(seed, memoryFixture()));
}
testStorage("unreliable directory", () => unreliableFixture(4, directoryFixture("none")));

Deno.test("openStorage() refuses kinds that this thread does not know", () => {
  const description: StorageDescription = { kind: "tape" };
  assert.throws(() => openStorage(description), { name: UsageError.name, message: /"tape"/ });
});

Deno.test("collectGarbage() refuses a storage that does not tell when chunks were used", () => {
  const inner = openStorage(createMemory(MEMORY_SIZE));
  const storage = Object.assign(Object.create(inner), { garbage: undefined });
  const store = Datastore.over(storage, "write");
  assert.throws(() => collectGarbage(store), { name: UsageError.name, message: /used last/ });
});

Deno.test("Datastore keeps snapshots in any storage", () => {
  const description = createMemory(MEMORY_SIZE);
  const storage = openStorage(description);
  const store = Datastore.over(storage, "write");
  const ns = parseNamespace("team");
  store.createNamespace(ns);
  const group = { ns, type: "host", id: "elsa" } as const;
  const content = new Random(1).bytes(3_000_000);
  const ids = [1, 2].map((run) => {
    const writer = store.startSnapshot({ group, crypt: CRYPT });
    const stream = writer.openDynamic("root.pxar.didx", { kind: "dynamic", averageSize: 64 << 10 });
    stream.write(content);
    const { newChunkCount } = stream.finish();
    assert.equal(newChunkCount > 0, run === 1);
    writer.addBlob("note.blob", content.subarray(0, 100));
    return writer.finish().id;
  });
  assert.deepEqual(store.namespaces(), [parseNamespace(""), ns]);
  assert.deepEqual(store.snapshots(group), ids);
  store.setNotes(ids[0]!, "first");
  store.setProtected(ids[0]!, true);
  assert.equal(store.snapshotInfo(ids[0]!).notes, "first");
  const reader = store.openSnapshot(ids[1]!, { crypt: CRYPT });
  assert.deepEqual(reader.blob("note.blob"), content.slice(0, 100));
  const archive = reader.openArchive("root.pxar.didx");
  const buffer = allocateNativeBuffer(content.length);
  assert.equal(archive.readAt(buffer, 0, content.length, 0), content.length);
  assert.deepEqual(buffer.bytes, content);
  assert.throws(() => store.forget(ids[1]!), { name: "StateError", code: "locked" });
  reader.close();
  assert.equal(verifyStore(store, undefined, { crypts: [CRYPT] }).isClean, true);
  ageMemory(description, 86_400 * 3);
  const { indexFileCount, removedChunks, diskChunks } = collectGarbage(store);
  assert.deepEqual([indexFileCount, removedChunks], [2, 0]);
  assert.equal(verifyStore(store, { kind: "group", group }, { crypts: [CRYPT] }).isClean, true);
  assert.throws(() => store.status(), UsageError);
  assert.equal(store.forgetGroup(group).length, 1);
  store.setProtected(ids[0]!, false);
  store.forget(ids[0]!);
  assert.deepEqual(store.groups(ns), []);
  ageMemory(description, 86_400 * 3);
  assert.equal(collectGarbage(store).removedChunks, diskChunks);
  store.removeNamespace(ns);
  assert.deepEqual(store.namespaces(), [parseNamespace("")]);
  store.close();
});
