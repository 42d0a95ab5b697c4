import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import * as host from "#ffi/libc/calls.ts";
import { createLockMemory } from "#src/pbs/storage/directory/process_lock.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { ForeignLock } from "#tests/support/foreign_lock.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import type { LockStep } from "./_lock_worker.ts";

const LOCKED = { name: "StateError", code: "locked" };

function openNew(directory: TempDirectory): Datastore {
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  return Datastore.open(directory.join("store"), { access: "write", lockTimeoutMs: 100 });
}

Deno.test("ProcessLock and the classic record lock of another process exclude each other", async () => {
  using directory = new TempDirectory("lock");
  const store = openNew(directory);
  store.processLock.acquireShared().release();
  const path = `${store.path}/.lock`;

  const shared = store.processLock.acquireShared();
  assert.equal(await ForeignLock.canTake("classic", "shared", path), true);
  assert.equal(await ForeignLock.canTake("classic", "exclusive", path), false);
  shared.release();
  assert.equal(await ForeignLock.canTake("classic", "exclusive", path), true);

  const exclusive = store.processLock.acquireExclusive();
  assert.equal(await ForeignLock.canTake("classic", "shared", path), false);
  exclusive.release();

  const reader = await ForeignLock.take("classic", "shared", path);
  assert.throws(() => store.processLock.acquireExclusive(), LOCKED);
  store.processLock.acquireShared().release();
  await reader.release();

  const writer = await ForeignLock.take("classic", "exclusive", path);
  assert.throws(() => store.processLock.acquireShared(), LOCKED);
  assert.throws(
    () => store.startSnapshot({ group: { ns: "" as never, type: "host", id: "a" } }),
    LOCKED,
  );
  await writer.release();
  store.processLock.acquireExclusive().release();
  store.close();
});

Deno.test("ProcessLock and ObjectLocks end with their release, whoever has copies of the descriptors", () => {
  using directory = new TempDirectory("lock");
  const store = openNew(directory);
  const group = { ns: ROOT_NAMESPACE, type: "host", id: "a" } as const;
  Deno.mkdirSync(`${store.path}/host/a`, { recursive: true });
  const taken = [
    () => store.processLock.acquireExclusive(),
    () => store.locks!.lockGroup(group),
  ];
  for (const take of taken) {
    const lock = take();
    // What a process that is being started has until it runs.
    const copies = copyDescriptorsBelow(store.path);
    lock.release();
    take().release();
    assert.ok(copies.length > 0);
    for (const fd of copies) host.close(fd);
  }
  store.close();
});

function copyDescriptorsBelow(path: string): number[] {
  const found = Array.from({ length: 1024 }, (_, fd) => fd).filter((fd) => {
    const target = host.readlinkAt(host.At.FDCWD, `/proc/self/fd/${fd}`);
    return typeof target !== "number" && new TextDecoder().decode(target).startsWith(path);
  });
  return found.map((fd) => host.unwrap(host.dup(fd), "dup", path));
}

Deno.test("ProcessLock survives that the file is opened and closed elsewhere in the process", async () => {
  using directory = new TempDirectory("lock");
  const store = openNew(directory);
  const lock = store.processLock.acquireShared();
  Deno.readFileSync(`${store.path}/.lock`);
  const second = Datastore.open(store.path, { access: "write" });
  second.processLock.acquireShared().release();
  second.close();
  assert.equal(await ForeignLock.canTake("classic", "exclusive", `${store.path}/.lock`), false);
  lock.release();
  assert.equal(await ForeignLock.canTake("classic", "exclusive", `${store.path}/.lock`), true);
  store.close();
});

Deno.test("ProcessLock lets shared and exclusive holders of one process coexist", async () => {
  using directory = new TempDirectory("lock");
  const store = openNew(directory);
  const other = Datastore.open(store.path, { access: "write", lockTimeoutMs: 50 });
  const path = `${store.path}/.lock`;
  assert.equal(store.processLock.oldestSharedStart, undefined);
  const before = Math.floor(Date.now() / 1000);
  const first = store.processLock.acquireShared();
  const second = other.processLock.acquireShared();
  assert.equal(store.processLock.oldestSharedStart, first.startTime);
  assert.ok(first.startTime >= before && second.startTime >= first.startTime);

  const exclusive = other.processLock.acquireExclusive();
  assert.throws(() => store.processLock.acquireExclusive(), LOCKED);
  assert.equal(await ForeignLock.canTake("classic", "shared", path), false);
  const third = store.processLock.acquireShared();
  first.release();
  first.release();
  second.release();
  // The lock that is left is a shared one again.
  exclusive.release();
  assert.equal(await ForeignLock.canTake("classic", "shared", path), true);
  assert.equal(await ForeignLock.canTake("classic", "exclusive", path), false);
  third.release();
  assert.equal(store.processLock.oldestSharedStart, undefined);
  assert.equal(await ForeignLock.canTake("classic", "exclusive", path), true);
  store.close();
  other.close();
});

Deno.test("ProcessLock waits for a while", async () => {
  using directory = new TempDirectory("lock");
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(directory.join("store"), { access: "write", lockTimeoutMs: 20_000 });
  store.processLock.acquireShared().release();
  const foreign = await ForeignLock.take("classic", "exclusive", `${store.path}/.lock`, 300);
  store.processLock.acquireShared().release();
  await foreign.release();
  store.close();
});

Deno.test("ProcessLock has threads with one memory for one holder, and others for several", async () => {
  using directory = new TempDirectory("lock");
  const { path } = openNew(directory);
  const url = new URL("./_lock_worker.ts", import.meta.url);
  const threads = [1, 2].map(() => new Worker(url, { type: "module" }));
  const inThread = (index: number, step: Omit<LockStep, "path">) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    threads[index]!.onmessage = ({ data }) => resolve(data);
    threads[index]!.postMessage({ path, ...step } satisfies LockStep);
    return promise;
  };
  const lockMemory = createLockMemory();
  const step = (index: number, action: LockStep["action"]) =>
    inThread(index, { action, lockMemory });
  assert.equal(await step(0, "shared"), "false true");
  assert.equal(await step(1, "exclusive"), "true true");
  assert.equal(await step(0, "exclusive"), "locked");
  assert.equal(await step(0, "shared"), "true true");
  assert.equal(await ForeignLock.canTake("classic", "shared", `${path}/.lock`), false);
  assert.equal(await step(1, "release"), "false true");
  assert.equal(await ForeignLock.canTake("classic", "shared", `${path}/.lock`), true);
  assert.equal(await step(0, "release"), "false true");
  assert.equal(await ForeignLock.canTake("classic", "exclusive", `${path}/.lock`), false);
  assert.equal(await step(0, "release"), "false false");
  assert.equal(await ForeignLock.canTake("classic", "exclusive", `${path}/.lock`), true);
  for (const thread of threads) thread.terminate();

  const alone = [1, 2].map(() => new Worker(url, { type: "module" }));
  threads.splice(0, 2, ...alone);
  assert.equal(
    await inThread(0, { action: "shared", lockMemory: undefined }),
    "false true",
  );
  assert.equal(await inThread(1, { action: "exclusive", lockMemory: undefined }), "locked");
  await inThread(0, { action: "release", lockMemory: undefined });
  for (const thread of alone) thread.terminate();
});
