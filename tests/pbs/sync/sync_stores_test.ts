import assert from "node:assert/strict";
import { chunkDirectory } from "#src/pbs/storage/directory/chunk_names.ts";
import { IntegrityError, StateError } from "#src/errors.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { Namespace, SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { parseNamespace, qualifiedName, snapshotDirectory } from "#src/pbs/format/snapshot_path.ts";
import type { SyncReport, SyncResult } from "#src/pbs/sync/report.ts";
import { type SyncOptions, syncStores } from "#src/pbs/sync/sync_stores.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import {
  assertSound,
  groupOf,
  makeStore,
  openStore,
  RunningBackup,
} from "#tests/support/pbs_activity.ts";
import { goldenDatastore, goldenKey, HAS_ALL_CHUNKS } from "#tests/support/pbs_fixtures.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { assertSame, snapshotsOf, stateOf } from "./_compare.ts";

const DAY = 86_400;
const FIRST = 1_700_000_000;
const KEY = "keys/key-none.json";

class Scene implements Disposable {
  readonly #home = new TempDirectory("sync");
  readonly source: Datastore;
  readonly target: Datastore;
  readonly random: Random;

  constructor(seed = 1) {
    makeStore(this.path("source"));
    makeStore(this.path("target"));
    this.source = openStore(this.path("source"));
    this.target = openStore(this.path("target"));
    this.random = new Random(seed);
  }

  path(name: string): string {
    return this.#home.join(name);
  }

  backup(id: string, day: number, isEncrypted = false): SnapshotId {
    const crypt = isEncrypted ? goldenKey(KEY) : undefined;
    const backup = new RunningBackup(this.source, this.random, id, FIRST + day * DAY, crypt);
    while (!backup.step());
    return backup.id;
  }

  sync(options: SyncOptions = {}): SyncReport {
    return syncStores(this.source, this.target, options);
  }

  /** A chunk of a snapshot that no other one of the source has. */
  ownChunk(id: SnapshotId): string {
    const others = new Set(
      [...stateOf(this.source)].filter(([name]) => name !== qualifiedName(id))
        .flatMap(([, { digests }]) => Object.keys(digests)),
    );
    const own = Object.keys(stateOf(this.source).get(qualifiedName(id))!.digests)
      .find((name) => /^[0-9a-f]{64}$/.test(name) && !others.has(name));
    return `${this.path("source")}/.chunks/${chunkDirectory(own as never)}/${own}`;
  }

  [Symbol.dispose](): void {
    this.source.close();
    this.target.close();
    this.#home[Symbol.dispose]();
  }
}

function results(report: SyncReport, result: SyncResult): string[] {
  return report.outcomes.filter((outcome) => outcome.result === result).map(({ name }) => name);
}

Deno.test("syncStores() gives a new store all of the golden one, to the byte", () => {
  using scene = new Scene();
  const golden = Datastore.open(goldenDatastore());
  try {
    const report = syncStores(golden, scene.target);
    if (HAS_ALL_CHUNKS) {
      assert.deepEqual(report.outcomes.filter(({ result }) => result !== "copied"), []);
      assertSame(golden, scene.target);
      assertSound(scene.target);
    } else {
      // Chunks of more than 64 KiB are not there: each snapshot is whole or not there at all.
      for (const { result, error } of report.outcomes) {
        assert.ok(result === "copied" || error instanceof IntegrityError);
      }
      assertSound(scene.target);
    }
    assert.deepEqual(scene.target.namespaces(), golden.namespaces());
    for (const { group } of snapshotsOf(scene.target)) {
      assert.equal(scene.target.groupInfo(group).owner, "root@pam");
      assert.equal(scene.target.groupInfo(group).notes, golden.groupInfo(group).notes);
    }
    const again = syncStores(golden, scene.target);
    assert.deepEqual(results(again, "copied"), []);
  } finally {
    golden.close();
  }
});

/** Backs up, removes, protects and writes notes at random; days begin with this one. */
function edit(scene: Scene, firstDay: number): void {
  const { source, target, random } = scene;
  for (let step = 0; step < 12; step++) {
    const ids = snapshotsOf(source);
    if (ids.length === 0 || random.oneIn(2)) {
      scene.backup(random.pick(["a", "b", "c"]), firstDay + step, random.oneIn(3));
      continue;
    }
    const id = random.pick(ids);
    source.setProtected(id, false);
    if (random.oneIn(8)) source.forgetGroup(id.group);
    else if (random.oneIn(3)) source.forget(id);
    else if (!stateOf(target).has(qualifiedName(id))) {
      // They come with the snapshot, and only then.
      source.setNotes(id, `notes of day ${firstDay}`);
      source.setProtected(id, true);
    }
  }
  for (const id of snapshotsOf(source)) {
    if (stateOf(target).has(qualifiedName(id))) source.setProtected(id, false);
  }
  for (const id of snapshotsOf(target)) target.setProtected(id, false);
}

for (let seed = 1; seed <= 6; seed++) {
  Deno.test(`syncStores() makes the target what the source is after random edits: ${seed}`, () => {
    using scene = new Scene(seed);
    for (let round = 1; round <= 6; round++) {
      edit(scene, round * 100);
      assert.equal(scene.sync({ removesVanished: true }).isComplete, true);
      assertSame(scene.source, scene.target);
      assertSound(scene.target);
    }
  });
}

Deno.test("syncStores() copies a chunk once, and nothing that is there", () => {
  using scene = new Scene();
  scene.backup("a", 1);
  scene.backup("a", 2);
  const first = scene.sync();
  assert.equal(results(first, "copied").length, 2);
  const chunkCount = first.outcomes.reduce((sum, { counts }) => sum + counts!.newChunkCount, 0);
  const stored = [...stateOf(scene.source).values()].flatMap(({ digests }) => Object.keys(digests))
    .filter((name) => /^[0-9a-f]{64}$/.test(name));
  assert.equal(chunkCount, new Set(stored).size);
  assertSame(scene.source, scene.target);
  const again = scene.sync();
  assert.deepEqual(again.outcomes.map(({ result }) => result), ["present", "present"]);
  scene.backup("a", 3);
  assert.equal(results(scene.sync(), "copied").length, 1);
  assertSame(scene.source, scene.target);
});

Deno.test("syncStores() carries notes and protection; the owner is the target's", () => {
  using scene = new Scene();
  const { source, target } = scene;
  const id = scene.backup("a", 1);
  source.setNotes(id, "of the snapshot");
  source.setProtected(id, true);
  source.setGroupNotes(id.group, "of the group");
  source.setOwner(id.group, "somebody@pbs");
  scene.sync();
  const { notes, isProtected } = target.snapshotInfo(id);
  assert.deepEqual({ notes, isProtected }, { notes: "of the snapshot", isProtected: true });
  assert.equal(target.groupInfo(id.group).notes, "of the group");
  assert.equal(target.groupInfo(id.group).owner, "root@pam");
  // What is written in the target stays.
  target.setOwner(id.group, "keeper@pbs");
  target.setGroupNotes(id.group, "mine");
  const next = scene.backup("a", 2);
  scene.sync();
  assert.equal(target.groupInfo(id.group).owner, "keeper@pbs");
  assert.equal(target.groupInfo(id.group).notes, "mine");
  assert.equal(target.snapshotInfo(next).isProtected, false);
});

Deno.test("syncStores() gives the last snapshot its protection where whoever was killed had not come to it", () => {
  using scene = new Scene();
  const [first, last] = [scene.backup("a", 1), scene.backup("a", 2)];
  for (const id of [first, last]) scene.source.setProtected(id, true);
  scene.sync();
  for (const id of [first, last]) scene.target.setProtected(id, false);
  scene.sync();
  const states = [first, last].map((id) => scene.target.snapshotInfo(id).isProtected);
  assert.deepEqual(states, [false, true]);
});

Deno.test("syncStores() does not carry the result of a verification", () => {
  using scene = new Scene();
  const id = scene.backup("a", 1);
  verifyStore(scene.source, { kind: "namespace" });
  assert.equal(scene.source.snapshotInfo(id).verifyState?.state, "ok");
  scene.sync();
  assert.equal(scene.target.snapshotInfo(id).verifyState, undefined);
});

for (const kind of ["changed", "cut", "missing"] as const) {
  Deno.test(`syncStores() names a ${kind} chunk, leaves that snapshot out and copies all others`, () => {
    using scene = new Scene();
    scene.backup("a", 1);
    const bad = scene.backup("a", 2);
    scene.backup("a", 3);
    scene.backup("b", 1);
    const path = scene.ownChunk(bad);
    const bytes = Deno.readFileSync(path);
    if (kind === "missing") Deno.removeSync(path);
    else if (kind === "cut") Deno.writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    else {
      bytes[bytes.length - 1]! ^= 1;
      Deno.writeFileSync(path, bytes);
    }
    const report = scene.sync();
    assert.equal(report.isComplete, false);
    const [failed] = report.outcomes.filter(({ result }) => result === "failed");
    assert.equal(failed!.name, qualifiedName(bad));
    assert.ok(failed!.error instanceof IntegrityError);
    assert.match(failed!.error.message, new RegExp(path.slice(-64)));
    assert.match(failed!.error.message, /disk\.img\.fidx|data\.ppxar\.didx/);
    assert.equal(results(report, "copied").length, 3);
    assert.equal(scene.target.snapshots(groupOf("a")).length, 2);
    assertSound(scene.target);
  });
}

for (const name of ["disk.img.fidx", "some.conf.blob", "index.json.blob"]) {
  Deno.test(`syncStores() leaves a snapshot out whose ${name} is damaged`, () => {
    using scene = new Scene();
    const bad = scene.backup("a", 1);
    scene.backup("a", 2);
    const path = `${scene.path("source")}/${snapshotDirectory(bad)}/${name}`;
    const bytes = Deno.readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    Deno.writeFileSync(path, bytes);
    const report = scene.sync();
    assert.deepEqual(results(report, "failed"), [qualifiedName(bad)]);
    const { message } = report.outcomes.find(({ result }) => result === "failed")!.error as Error;
    assert.ok(message.includes(name), message);
    assert.equal(scene.target.snapshots(groupOf("a")).length, 1);
  });
}

Deno.test("syncStores() goes on with other groups where one is being written to, and catches up later", () => {
  using scene = new Scene();
  scene.backup("a", 1);
  scene.backup("b", 1);
  const busy = new RunningBackup(scene.target, scene.random, "a", FIRST, undefined);
  const report = scene.sync();
  const [failed] = report.outcomes.filter(({ result }) => result === "failed");
  assert.equal((failed!.error as StateError).code, "locked");
  assert.equal(results(report, "copied").length, 1);
  busy.abort();
  assert.equal(scene.sync().isComplete, true);
  assertSame(scene.source, scene.target);
});

Deno.test("syncStores() removes what has vanished when it is told to, but nothing that is protected", () => {
  using scene = new Scene();
  const { source, target } = scene;
  const [kept, gone] = [scene.backup("a", 1), scene.backup("a", 2)];
  scene.backup("a", 3);
  const whole = scene.backup("b", 1);
  const ns = parseNamespace("x/y");
  for (const store of [source, target]) store.createNamespace("x" as Namespace);
  source.createNamespace(ns);
  scene.sync();
  target.setProtected(kept, true);
  source.forget(kept);
  source.forget(gone);
  source.forgetGroup(whole.group);
  source.removeNamespace(ns);
  assert.deepEqual(results(scene.sync(), "removed"), []);
  const dry = scene.sync({ removesVanished: true, isDryRun: true });
  assert.deepEqual(results(dry, "removed"), [qualifiedName(gone), qualifiedName(whole)]);
  assert.equal(target.snapshots(kept.group).length, 3);
  const report = scene.sync({ removesVanished: true });
  assert.deepEqual(results(report, "kept"), [qualifiedName(kept)]);
  assert.deepEqual(
    results(report, "removed"),
    [qualifiedName(gone), qualifiedName(whole), "namespace x/y"],
  );
  assert.equal(report.isComplete, true);
  assert.deepEqual(target.snapshots(kept.group).map(({ time }) => time), [
    kept.time,
    FIRST + 3 * DAY,
  ]);
  assert.deepEqual(target.namespaces(), ["", "x"]);
});

Deno.test("syncStores() removes nothing of a group that it could not copy", () => {
  using scene = new Scene();
  const old = scene.backup("a", 1);
  scene.sync();
  const bad = scene.backup("a", 2);
  const path = scene.ownChunk(bad);
  scene.source.forget(old);
  Deno.removeSync(path);
  const report = scene.sync({ removesVanished: true });
  assert.deepEqual(results(report, "removed"), []);
  assert.deepEqual(scene.target.snapshots(old.group), [old]);
});

Deno.test("syncStores() copies encrypted, verified or the last snapshots alone where that is asked for", () => {
  using scene = new Scene();
  scene.backup("a", 1);
  const second = scene.backup("a", 2, true);
  verifyStore(scene.source, { kind: "namespace" });
  const third = scene.backup("a", 3, true);
  const names = [second, third].map(qualifiedName);
  const dry = (options: SyncOptions) =>
    results(scene.sync({ ...options, isDryRun: true }), "copied");
  assert.deepEqual(dry({ isEncryptedOnly: true }), names);
  assert.deepEqual(dry({ isEncryptedOnly: true, isVerifiedOnly: true }), [names[0]]);
  assert.deepEqual(dry({ isVerifiedOnly: true }).length, 2);
  assert.deepEqual(dry({ last: 1 }), [names[1]]);
  assert.deepEqual(dry({ last: 1, isVerifiedOnly: true }), [names[0]]);
  assert.deepEqual(snapshotsOf(scene.target), []);
  scene.sync({ last: 2 });
  assert.deepEqual(snapshotsOf(scene.target).map(qualifiedName), names);
  assertSound(scene.target);
  // Nothing can be put before them any more.
  const report = scene.sync();
  assert.deepEqual(report.outcomes.map(({ reason }) => reason), [
    "older-than-target",
    undefined,
    undefined,
  ]);
});

Deno.test("syncStores() copies encrypted chunks as they are", () => {
  using scene = new Scene();
  scene.backup("a", 1, true);
  scene.backup("a", 2, true);
  assert.equal(scene.sync().isComplete, true);
  assertSame(scene.source, scene.target);
});

for (const isEncrypted of [false, true]) {
  Deno.test(`syncStores() refuses a snapshot whose chunks are ${isEncrypted ? "not " : ""}encrypted, unlike what it says`, () => {
    using scene = new Scene();
    using other = new Scene();
    const path = scene.ownChunk(scene.backup("a", 1, isEncrypted));
    Deno.writeFileSync(path, Deno.readFileSync(other.ownChunk(other.backup("b", 1, !isEncrypted))));
    const [outcome] = scene.sync().outcomes;
    assert.equal((outcome!.error as IntegrityError).code, isEncrypted ? "digest" : "crypt-mode");
    assert.deepEqual(snapshotsOf(scene.target), []);
  });
}

Deno.test("syncStores() copies the groups that are named, from the namespace that is named", () => {
  using scene = new Scene();
  scene.backup("a", 1);
  const id = scene.backup("b", 1);
  assert.deepEqual(results(scene.sync({ groups: [id.group] }), "copied"), [qualifiedName(id)]);
  const report = scene.sync({ groups: [{ type: "vm", id: "9" }] });
  assert.deepEqual(results(report, "failed"), ["vm/9"]);
  assert.throws(
    () => scene.sync({ namespace: parseNamespace("none") }),
    (error) => error instanceof StateError && error.code === "not-found",
  );
});

Deno.test("syncStores() refuses a store as its own target, by whatever path", () => {
  using scene = new Scene();
  Deno.symlinkSync(scene.path("source"), scene.path("link"));
  const same = openStore(scene.path("link"));
  assert.throws(() => syncStores(scene.source, same), /with itself/);
  same.close();
});

Deno.test("syncStores() stops when it is told to, and leaves nothing of what it was at", () => {
  using scene = new Scene();
  const [first, second] = [scene.backup("a", 1), scene.backup("a", 2)];
  const stop = new DOMException("stop", "AbortError");
  let isStopped = false;
  const run = () =>
    scene.sync({
      onProgress: (id) => isStopped = id.time === second.time,
      signal: {
        throwIfAborted() {
          if (isStopped) throw stop;
        },
      },
    });
  assert.throws(run, (error) => error === stop);
  assert.deepEqual(scene.target.snapshots(first.group), [first]);
  assert.equal(scene.sync().isComplete, true);
  assertSame(scene.source, scene.target);
});
