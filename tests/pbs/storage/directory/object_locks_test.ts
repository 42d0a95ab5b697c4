import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import { type GroupId, parseNamespace, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import {
  groupLockPath,
  manifestLockPath,
  oldManifestLockPath,
  snapshotLockPath,
} from "#src/pbs/storage/directory/server_lock_paths.ts";
import { ForeignLock } from "#tests/support/foreign_lock.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const ROOT = parseNamespace("");
const GROUP: GroupId = { ns: ROOT, type: "host", id: "a" };
const LOCKED = { name: "StateError", code: "locked" };

function openNew(directory: TempDirectory, serverStore?: string): Datastore {
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  return Datastore.open(directory.join("store"), {
    access: "write",
    lockTimeoutMs: 60,
    syncLevel: "none",
    serverLocksPath: directory.join("locks"),
    serverStore,
  });
}

function makeSnapshot(store: Datastore, time?: number): SnapshotId {
  const writer = store.startSnapshot({ group: GROUP, time });
  writer.addBlob("a.conf.blob", new Uint8Array(3));
  return writer.finish().id;
}

Deno.test("server lock paths are those of version 3.4", () => {
  const snapshot = {
    group: { ns: ROOT, type: "host", id: "rv2" },
    time: Date.parse("2026-11-21T03:16:27Z") / 1000,
  } as const;
  assert.equal(groupLockPath(snapshot.group), "host-rv2");
  assert.equal(snapshotLockPath(snapshot), "host-rv2-2026\\x2d11\\x2d21T03\\x3a16\\x3a27Z");
  assert.equal(
    manifestLockPath(snapshot),
    "host-rv2-2026\\x2d11\\x2d21T03\\x3a16\\x3a27Z-.index.json.lck",
  );
  const below = { ...snapshot, group: { ...snapshot.group, ns: parseNamespace("a/b") } };
  assert.equal(groupLockPath(below.group), "a:b/host-rv2");
  assert.equal(
    oldManifestLockPath(below),
    "ns/a/ns/b/host/rv2/2026-11-21T03:16:27Z/2026-11-21T03:16:27Z.index.json.lck",
  );
  const long = { ns: ROOT, type: "host", id: "x".repeat(250) } as const;
  const path = groupLockPath(long);
  assert.match(path, /^hashed\/host-x{75}\.{3}x{80}-[0-9a-f]{64}$/);
  assert.equal(groupLockPath({ ...long, id: "x".repeat(249) }), `host-${"x".repeat(249)}`);
});

Deno.test("ObjectLocks keep writers and removal off what is read", () => {
  using directory = new TempDirectory("locks");
  const store = openNew(directory);
  const first = makeSnapshot(store, 1_700_000_000);
  const reader = store.openSnapshot(first);
  const another = store.openSnapshot(first);
  assert.throws(() => store.forget(first), LOCKED);
  assert.throws(() => store.setProtected(first, true), LOCKED);
  store.setNotes(first, "notes need the manifest only");
  reader.close();
  assert.throws(() => store.forget(first), LOCKED);
  another.close();

  const writer = store.startSnapshot({ group: GROUP });
  assert.throws(() => store.startSnapshot({ group: GROUP }), LOCKED);
  assert.throws(() => store.forget(first), LOCKED);
  assert.throws(() => store.forget(writer.id), LOCKED);
  assert.throws(() => store.forgetGroup(GROUP), LOCKED);
  writer.abort();
  const second = makeSnapshot(store, 1_700_000_001);
  const last = store.openSnapshot(second);
  const kept = store.forgetGroup(GROUP).map(({ id, reason }) => [id.time, reason.code]);
  assert.deepEqual(kept, [[second.time, "locked"]]);
  assert.deepEqual(store.snapshots(GROUP), [second]);
  last.close();
  assert.deepEqual(store.forgetGroup(GROUP), []);
  assert.deepEqual(store.groups(ROOT), []);
  store.close();
});

Deno.test("ObjectLocks exclude flock on directories by another process, in both directions", async () => {
  using directory = new TempDirectory("locks");
  const store = openNew(directory);
  const snapshot = makeSnapshot(store, 1_700_000_000);
  const group = `${store.path}/host/a`;
  const path = `${group}/2023-11-14T22:13:20Z`;

  const reader = store.openSnapshot(snapshot);
  assert.equal(await ForeignLock.canTake("flock", "shared", path), true);
  assert.equal(await ForeignLock.canTake("flock", "exclusive", path), false);
  reader.close();
  const writer = store.startSnapshot({ group: GROUP });
  assert.equal(await ForeignLock.canTake("flock", "exclusive", group), false);
  assert.equal(await ForeignLock.canTake("flock", "exclusive", path), false);
  const newest = [...Deno.readDirSync(group)].map((entry) => entry.name).sort().at(-2)!;
  assert.equal(await ForeignLock.canTake("flock", "shared", `${group}/${newest}`), false);
  writer.abort();
  assert.equal(await ForeignLock.canTake("flock", "exclusive", group), true);

  const foreign = await ForeignLock.take("flock", "exclusive", path);
  assert.throws(() => store.openSnapshot(snapshot), LOCKED);
  assert.throws(() => store.startSnapshot({ group: GROUP }), LOCKED);
  await foreign.release();
  const foreignGroup = await ForeignLock.take("flock", "exclusive", group);
  assert.throws(() => store.startSnapshot({ group: GROUP }), LOCKED);
  await foreignGroup.release();
  store.close();
});

Deno.test("ObjectLocks take a server's lock files where its name is known, and remove them with their objects", async () => {
  using directory = new TempDirectory("locks");
  Deno.mkdirSync(directory.join("locks"));
  const store = openNew(directory, "main");
  const locks = directory.join("locks/main");
  const snapshot = makeSnapshot(store, 1_700_000_000);
  const lockFile = `${locks}/host-a-2023\\x2d11\\x2d14T22\\x3a13\\x3a20Z`;
  const reader = store.openSnapshot(snapshot);
  assert.equal(Deno.statSync(lockFile).mode! & 0o777, 0o660);
  assert.equal(await ForeignLock.canTake("flock", "exclusive", lockFile), false);
  reader.close();
  const foreign = await ForeignLock.take("flock", "exclusive", lockFile);
  assert.throws(() => store.openSnapshot(snapshot), LOCKED);
  await foreign.release();
  store.setNotes(snapshot, "x");
  assert.ok(Deno.statSync(`${lockFile}-.index.json.lck`).isFile);
  const manifestLock = await ForeignLock.take("flock", "exclusive", `${lockFile}-.index.json.lck`);
  assert.throws(() => store.setNotes(snapshot, "y"), LOCKED);
  await manifestLock.release();
  assert.ok(Deno.statSync(`${locks}/host-a`).isFile);
  store.forget(snapshot);
  assert.deepEqual([...Deno.readDirSync(locks)].filter((entry) => entry.isFile), []);
  store.close();
});
