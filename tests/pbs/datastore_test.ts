import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LimitError, OsError, StateError, UsageError } from "#src/errors.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import {
  formatSnapshot,
  type GroupId,
  parseNamespace,
  parseSnapshot,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import { expectedDatastore, goldenDatastore } from "#tests/support/pbs_fixtures.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const ROOT = parseNamespace("");
const GROUP: GroupId = { ns: ROOT, type: "host", id: "a" };

function openNew(directory: TempDirectory): Datastore {
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  return Datastore.open(directory.join("store"), {
    access: "write",
    lockTimeoutMs: 60,
    syncLevel: "none",
  });
}

function makeSnapshot(store: Datastore, time: number, group = GROUP): SnapshotId {
  const writer = store.startSnapshot({ group, time });
  writer.addBlob("a.conf.blob", new Uint8Array(3));
  return writer.finish().id;
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
}

Deno.test("Datastore makes what a server makes, for the owner of the directory above", async () => {
  await using disk = await MemoryDisk.create();
  const isRoot = Deno.uid() === 0;
  if (isRoot) Deno.chownSync(disk.path, 34, 34);
  const path = disk.join("new");
  Datastore.create(path);
  assert.deepEqual(names(path), [".chunks", ".lock"]);
  const directories = names(`${path}/.chunks`);
  assert.equal(directories.length, 65536);
  assert.deepEqual([directories[0], directories[65535]], ["0000", "ffff"]);
  const modes = { "": 0o755, ".chunks": 0o750, ".chunks/abcd": 0o750, ".lock": 0o644 };
  for (const [name, mode] of Object.entries(modes)) {
    const stat = Deno.statSync(`${path}/${name}`);
    assert.equal(stat.mode! & 0o777, mode);
    if (isRoot) assert.deepEqual([stat.uid, stat.gid], [34, 34]);
  }
  Datastore.open(path, { access: "write" }).close();
  assert.throws(() => Datastore.create(path), { name: "StateError", code: "exists" });

  if (!isRoot) return;
  Deno.mkdirSync(disk.join("empty"));
  Datastore.create(disk.join("empty"), { owner: { uid: 1234, gid: 5678 } });
  const stat = Deno.statSync(disk.join("empty/.chunks/00ff"));
  assert.deepEqual([stat.uid, stat.gid], [1234, 5678]);
});

Deno.test("Datastore is made in a new or empty directory only", () => {
  using directory = new TempDirectory("store");
  Deno.mkdirSync(directory.join("full"));
  Deno.writeTextFileSync(directory.join("full/x"), "");
  assert.throws(() => Datastore.create(directory.join("full")), { code: "exists" });
  assert.deepEqual(names(directory.join("full")), ["x"]);
  assert.throws(() => Datastore.create(directory.join("no/such")), { code: "ENOENT" });
  assert.throws(() => Datastore.open(directory.path), { name: "StateError", code: "not-found" });
});

Deno.test("Datastore lists the golden store", () => {
  const expected = expectedDatastore();
  const store = Datastore.open(goldenDatastore());
  const found = store.namespaces().flatMap((ns) =>
    store.groups(ns).flatMap((group) => {
      assert.equal(store.groupInfo(group).owner, expected.owner);
      return store.snapshots(group).map((id) => ({
        ns: ns as string,
        snapshot: formatSnapshot(id),
      }));
    })
  );
  const all = expected.snapshots.map(({ ns, snapshot }) => ({ ns, snapshot }));
  const order = (a: { ns: string; snapshot: string }, b: { ns: string; snapshot: string }) =>
    `${a.ns}:${a.snapshot}` < `${b.ns}:${b.snapshot}` ? -1 : 1;
  assert.deepEqual(found.sort(order), all.sort(order));
  assert.deepEqual(store.namespaces() as string[], ["", "team", "team/sub-1"]);
  for (const { ns, snapshot, notes, protected: isProtected, key } of expected.snapshots) {
    const info = store.snapshotInfo(parseSnapshot(snapshot, parseNamespace(ns)));
    assert.equal(info.notes, notes);
    assert.equal(info.isProtected, isProtected ?? false);
    assert.equal(info.isFinished, true);
    assert.equal(info.error, undefined);
    assert.equal(info.keyFingerprint !== undefined, key !== null);
    assert.ok(info.files.some((file) => file.name === "index.json.blob"));
  }
  assert.equal(store.status().totalBytes > 0, true);
  assert.throws(() => store.forget(store.snapshots(store.groups(ROOT)[0]!)[0]!), UsageError);
  store.close();
});

Deno.test("Datastore keeps notes, owners and protection", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const id = makeSnapshot(store, 1000);
  store.setNotes(id, "first\nsecond — ünï");
  assert.equal(store.snapshotInfo(id).notes, "first\nsecond — ünï");
  store.setNotes(id, "");
  assert.equal(store.snapshotInfo(id).notes, undefined);
  store.setGroupNotes(GROUP, "of the group");
  assert.equal(store.groupInfo(GROUP).notes, "of the group");
  store.setGroupNotes(GROUP, "");
  assert.equal(store.groupInfo(GROUP).notes, undefined);
  store.setOwner(GROUP, "me@pbs");
  assert.equal(Deno.readTextFileSync(`${store.path}/host/a/owner`), "me@pbs\n");
  assert.throws(() => store.setOwner(GROUP, "nobody"), UsageError);
  Deno.writeTextFileSync(`${store.path}/host/a/owner`, "other@pam  \t\nrest\n");
  assert.equal(store.groupInfo(GROUP).owner, "other@pam");

  store.setProtected(id, true);
  store.setProtected(id, true);
  assert.throws(() => store.forget(id), { name: "StateError", code: "protected" });
  const [kept, ...others] = store.forgetGroup(GROUP);
  assert.deepEqual([kept!.id, kept!.reason.code, others], [id, "protected", []]);
  store.setProtected(id, false);
  assert.deepEqual(store.forgetGroup(GROUP), []);
  assert.throws(() => store.groupInfo(GROUP), { code: "not-found" });
  assert.throws(() => store.forgetGroup(GROUP), { code: "not-found" });
  assert.throws(() => store.setNotes(id, "x"), { code: "not-found" });
  assert.throws(() => store.setProtected(id, true), { code: "not-found" });
  store.close();
});

Deno.test("Datastore removes snapshots, and groups with their last one", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const [first, second] = [makeSnapshot(store, 1000), makeSnapshot(store, 2000)];
  Deno.mkdirSync(`${store.path}/host/a/1970-01-01T00:16:40Z/left/over`, { recursive: true });
  Deno.symlinkSync("/etc", `${store.path}/host/a/1970-01-01T00:16:40Z/left/link`);
  store.forget(first);
  assert.throws(() => store.forget(first), { code: "not-found" });
  assert.deepEqual(names(`${store.path}/host/a`), ["1970-01-01T00:33:20Z", "owner"]);
  Deno.writeTextFileSync(`${store.path}/host/a/foreign`, "stays");
  store.forget(second);
  assert.deepEqual(names(`${store.path}/host/a`), ["foreign", "owner"]);
  assert.ok(Deno.statSync("/etc/passwd").isFile);
  store.close();
});

Deno.test("Datastore removes a group with what killed processes left, but not with what it does not know", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  makeSnapshot(store, 1000);
  const path = `${store.path}/host/a`;
  for (const name of ["notes.tmp", "owner.tmp", "mine"]) {
    Deno.writeTextFileSync(`${path}/${name}`, "");
  }
  assert.throws(() => store.forgetGroup(GROUP), { code: "busy", message: /host\/a: .*"mine"/ });
  assert.deepEqual(store.snapshots(GROUP), []);
  Deno.removeSync(`${path}/mine`);
  assert.deepEqual(store.forgetGroup(GROUP), []);
  assert.deepEqual(names(`${store.path}/host`), []);
  store.close();
});

Deno.test("Datastore lists unfinished and damaged snapshots", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const id = makeSnapshot(store, 1000);
  const path = `${store.path}/host/a/1970-01-01T00:16:40Z`;
  Deno.writeTextFileSync(`${path}/index.json.blob`, "nonsense");
  assert.equal(store.snapshotInfo(id).error instanceof Error, true);
  assert.equal(store.snapshotInfo(id).size, undefined);
  Deno.removeSync(`${path}/index.json.blob`);
  const info = store.snapshotInfo(id);
  assert.equal(info.isFinished, false);
  assert.deepEqual(info.files.map((file) => [file.name, file.size]), [["a.conf.blob", 15]]);
  assert.equal(store.groupInfo(GROUP).last, undefined);
  assert.throws(() => store.openSnapshot(id), /unfinished/);
  const marks = store.planPrune(GROUP, { last: 1 }).map(({ mark }) => mark);
  assert.deepEqual(marks, ["keep-partial"]);
  makeSnapshot(store, 2000);
  assert.deepEqual(store.planPrune(GROUP, { last: 1 }).map(({ mark }) => mark), ["keep", "remove"]);
  store.forget(id);
  store.close();
});

Deno.test("Datastore tells what there is without opening the directory of its chunks", () => {
  using directory = new TempDirectory("store");
  openNew(directory).close();
  const store = Datastore.open(directory.join("store"));
  // As for an ordinary user who may not read it.
  Deno.removeSync(`${store.path}/.chunks`, { recursive: true });
  assert.deepEqual(store.groups(ROOT), []);
  assert.throws(() => store.storage.chunks, OsError);
  store.close();
});

Deno.test("Datastore describes a group whose owner or notes cannot be read", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const id = makeSnapshot(store, 1000);
  assert.throws(() => store.setGroupNotes(GROUP, "ü".repeat(1 << 20)), LimitError);
  assert.throws(() => store.setNotes(id, "ü".repeat(1 << 20)), LimitError);
  Deno.writeTextFileSync(`${store.path}/host/a/notes`, "n".repeat((1 << 20) + 1));
  const { error, notes, last } = store.groupInfo(GROUP);
  assert.ok(error instanceof LimitError);
  assert.deepEqual([notes, last], [undefined, id]);
  Deno.writeTextFileSync(`${store.path}/host/a/owner`, "o".repeat(10_000));
  assert.equal(store.groupInfo(GROUP).owner, undefined);
  assert.equal(store.snapshotInfo(id).owner, undefined);
  store.close();
});

Deno.test("Datastore names the namespace of what is not there", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const [a, b] = [parseNamespace("a"), parseNamespace("b")];
  store.createNamespace(a);
  assert.throws(() => store.groupInfo({ ...GROUP, ns: a }), /group host\/a in namespace "a"/);
  assert.throws(
    () => store.snapshotInfo({ group: { ...GROUP, ns: a }, time: 1000 }),
    /snapshot host\/a\/1970-01-01T00:16:40Z in namespace "a"/,
  );
  assert.throws(() => store.groupInfo({ ...GROUP, ns: b }), /Cannot find namespace "b"/);
  store.close();
});

Deno.test("Datastore makes and removes namespaces", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const [a, ab] = [parseNamespace("a"), parseNamespace("a/b")];
  assert.throws(() => store.createNamespace(ab), { code: "not-found" });
  store.createNamespace(a);
  store.createNamespace(ab);
  assert.throws(() => store.createNamespace(a), { code: "exists" });
  assert.throws(() => store.createNamespace(ROOT), { code: "exists" });
  const group = { ...GROUP, ns: ab };
  const id = makeSnapshot(store, 1000, group);
  assert.ok(Deno.statSync(`${store.path}/ns/a/ns/b/host/a/1970-01-01T00:16:40Z`).isDirectory);
  assert.deepEqual(store.namespaces(a) as string[], ["a", "a/b"]);
  assert.deepEqual(store.groups(ROOT), []);
  assert.throws(() => store.removeNamespace(ab), { code: "busy" });
  assert.throws(() => store.removeNamespace(a), { code: "busy", option: "isRecursive" });
  store.setProtected(id, true);
  assert.throws(() => store.removeNamespace(a, true), { code: "busy", hint: /unprotected/ });
  store.setProtected(id, false);
  store.removeNamespace(a, true);
  assert.deepEqual(store.namespaces() as string[], [""]);
  assert.throws(() => store.removeNamespace(a), { code: "not-found" });
  assert.throws(() => store.removeNamespace(ROOT), UsageError);
  store.createNamespace(a);
  store.removeNamespace(a);
  assert.throws(() => store.groups(a), StateError);
  store.close();
});

Deno.test("Datastore adds a client's log once, encrypted where there is a key", () => {
  using directory = new TempDirectory("store");
  const store = openNew(directory);
  const crypt = new CryptConfig(new Uint8Array(32).fill(1));
  const writer = store.startSnapshot({ group: GROUP, crypt });
  writer.addBlob("a.conf.blob", new Uint8Array(3));
  const { id } = writer.finish();
  const log = new TextEncoder().encode("all went well\n");
  store.addClientLog(id, log, { crypt });
  assert.throws(() => store.addClientLog(id, log), { code: "exists" });
  const reader = store.openSnapshot(id, { crypt });
  assert.deepEqual(reader.blob("client.log.blob"), log);
  reader.close();
  const without = store.openSnapshot(id, { isKeyOptional: true });
  assert.throws(() => without.blob("client.log.blob"), { name: "AuthError", code: "missing-key" });
  without.close();
  store.close();
});

Deno.test("Datastore is read without FFI, and not written to", async () => {
  const module = fileURLToPath(new URL("./_datastore_child.ts", import.meta.url));
  const command = denoRunCommand(["--allow-read"], module, [goldenDatastore()]);
  const { stdout } = await runCommand(command, { timeoutMs: 60_000 });
  const report = JSON.parse(stdout);
  assert.equal(report.writeError, "UsageError");
  assert.equal(report.snapshots, expectedDatastore().snapshots.length);
  assert.ok(report.bytes > 0);
});
