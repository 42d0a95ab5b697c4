import assert from "node:assert/strict";
import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Failure, FormatError, IntegrityError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { DirectoryChunks } from "#src/pbs/storage/directory/directory_chunks.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { BLOCK_SIZE, blockOf, groupOf, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** A store with a snapshot of one block. */
class Fixture implements Disposable {
  readonly home = new TempDirectory("hostile");
  readonly path = this.home.join("store");
  readonly store: Datastore;
  readonly snapshot: SnapshotId;
  readonly digest: ChunkDigest = digestOf(sha256Of(blockOf(1)));

  constructor() {
    makeStore(this.path);
    this.store = openStore(this.path);
    this.snapshot = this.backUp(1_700_000_000);
  }

  get snapshotPath(): string {
    return `${this.path}/host/a/2023-11-14T22:13:20Z`;
  }

  get chunkPath(): string {
    return this.store.storage.chunks.pathOf(this.digest);
  }

  backUp(time: number): SnapshotId {
    const writer = this.store.startSnapshot({ group: groupOf("a"), time });
    const image = writer.openFixed("disk.img.fidx", BLOCK_SIZE, BLOCK_SIZE);
    image.write(blockOf(1));
    image.finish();
    writer.finish();
    return writer.id;
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.home[Symbol.dispose]();
  }
}

function makeFifo(path: string): void {
  assert.equal(new Deno.Command("mkfifo", { args: [path] }).outputSync().code, 0);
}

/** What somebody could put in the place of a file. */
const IMPOSTORS: readonly [string, (path: string, fixture: Fixture) => void][] = [
  ["a FIFO", makeFifo],
  ["a link to a good copy", (path, fixture) => {
    Deno.copyFileSync(`${fixture.home.path}/good`, `${fixture.home.path}/copy`);
    Deno.symlinkSync(`${fixture.home.path}/copy`, path);
  }],
  ["a link to nowhere", (path) => Deno.symlinkSync("nowhere", path)],
  ["a link to itself", (path) => Deno.symlinkSync(path, path)],
  ["a link to a device", (path) => Deno.symlinkSync("/dev/zero", path)],
  ["a directory", (path) => Deno.mkdirSync(path)],
];

for (const [what, plant] of IMPOSTORS) {
  Deno.test(`A chunk that is ${what} is refused, verified as corrupt, and stored anew`, () => {
    using fixture = new Fixture();
    const { store, snapshot, digest, chunkPath } = fixture;
    Deno.renameSync(chunkPath, `${fixture.home.path}/good`);
    plant(chunkPath, fixture);
    const before = Deno.readFileSync(`${fixture.home.path}/good`);
    const reader = store.openSnapshot(snapshot);
    const target = allocateNativeBuffer(BLOCK_SIZE);
    const source = reader.openArchive("disk.img.fidx");
    assert.throws(
      () => source.readAt(target, 0, BLOCK_SIZE, 0),
      (error) => error instanceof FormatError || error instanceof Failure,
    );
    reader.close();
    if (what !== "a directory") {
      // A backup does not take it for the chunk.
      fixture.backUp(1_700_000_001);
      assert.ok(Deno.lstatSync(chunkPath).isFile);
      Deno.removeSync(chunkPath);
      plant(chunkPath, fixture);
    }
    const report = verifyStore(store, { kind: "snapshot", snapshot });
    assert.equal(report.badChunkCount, 1);
    const [fault] = report.snapshots[0]!.faults;
    assert.equal(fault!.renamedTo, `${chunkPath}.0.bad`);
    fixture.backUp(1_700_000_002);
    assert.ok(verifyStore(store, { kind: "snapshot", snapshot }).isClean);
    assert.ok(Deno.lstatSync(chunkPath).isFile);
    assert.deepEqual(Deno.readFileSync(`${fixture.home.path}/good`), before);
    // Nobody waits for ever.
    Deno.removeSync(chunkPath);
    plant(chunkPath, fixture);
    const warnings: string[] = [];
    collectGarbage(store, { keepMinutes: 0, onWarning: (text) => warnings.push(text) });
    assert.ok(warnings.length > 0);
    store.storage.chunks.expect(digest);
  });

  Deno.test(`Files of a snapshot that are ${what} are refused`, () => {
    for (const name of ["disk.img.fidx", "index.json.blob"]) {
      using fixture = new Fixture();
      const { store, snapshot, snapshotPath } = fixture;
      Deno.renameSync(`${snapshotPath}/${name}`, `${fixture.home.path}/good`);
      plant(`${snapshotPath}/${name}`, fixture);
      const report = verifyStore(store, { kind: "snapshot", snapshot });
      const [result] = report.snapshots;
      // The manifest may be a link, as any reader would have it; where it leads nowhere there is
      // none.
      if (name === "disk.img.fidx") assert.equal(result!.result, "failed");
      if (name === "disk.img.fidx" && what !== "a directory") {
        assert.throws(() => collectGarbage(store, { checkAccessTimes: false }), Failure);
      }
      try {
        store.openSnapshot(snapshot).close();
      } catch (error) {
        assert.ok(error instanceof Failure, `${error}`);
      }
      store.snapshotInfo(snapshot);
      store.groupInfo(snapshot.group);
      Deno.mkdirSync(`${snapshotPath}/unexpected/directory`, { recursive: true });
      Deno.symlinkSync("/etc", `${snapshotPath}/unexpected/link`);
      store.forget(snapshot);
      assert.deepEqual(store.groups(ROOT_NAMESPACE), []);
    }
  });
}

Deno.test("A snapshot that is a link elsewhere is not removed through it", () => {
  using fixture = new Fixture();
  const { store, snapshot, snapshotPath } = fixture;
  const elsewhere = `${fixture.home.path}/elsewhere`;
  Deno.renameSync(snapshotPath, elsewhere);
  Deno.symlinkSync(elsewhere, snapshotPath);
  const names = [...Deno.readDirSync(elsewhere)].map(({ name }) => name).sort();
  assert.throws(() => store.forget(snapshot), Failure);
  assert.deepEqual([...Deno.readDirSync(elsewhere)].map(({ name }) => name).sort(), names);
  // But its chunks are kept, since it may be read.
  const old = Math.floor(Date.now() / 1000) - 10 * 86_400;
  Deno.utimeSync(fixture.chunkPath, old, old);
  collectGarbage(store, { checkAccessTimes: false });
  assert.ok(Deno.lstatSync(fixture.chunkPath).isFile);
});

Deno.test("An index that gives one chunk two sizes is refused where it is wrong, whatever was read before", () => {
  using fixture = new Fixture();
  const { store, snapshot, digest } = fixture;
  const writer = store.startSnapshot({ group: groupOf("a"), time: 1_700_000_001 });
  const builder = new DynamicIndexBuilder();
  builder.add(digest, BLOCK_SIZE);
  builder.add(digest, 3 * BLOCK_SIZE);
  builder.add(digest, 4 * BLOCK_SIZE);
  const stream = writer.openDynamic("a.pxar.didx", { kind: "payload", averageSize: 4096 });
  stream.inject([
    { digest, size: BLOCK_SIZE },
    { digest, size: 2 * BLOCK_SIZE },
    { digest, size: BLOCK_SIZE },
  ]);
  stream.finish();
  writer.finish();
  assert.ok(snapshot.time < writer.id.time);
  const reader = store.openSnapshot(writer.id);
  const source = reader.openArchive("a.pxar.didx");
  const target = allocateNativeBuffer(4 * BLOCK_SIZE);
  assert.equal(source.readAt(target, 0, 100, 10), 100);
  for (const [offset, size] of [[BLOCK_SIZE, 100], [2 * BLOCK_SIZE, 100], [BLOCK_SIZE, 8192]]) {
    assert.throws(
      () => source.readAt(target, 0, size!, offset!),
      (error) => error instanceof IntegrityError && error.code === "length",
    );
  }
  assert.equal(source.readAt(target, 0, BLOCK_SIZE, 3 * BLOCK_SIZE), BLOCK_SIZE);
  assert.deepEqual(target.bytes.subarray(0, BLOCK_SIZE), blockOf(1));
  reader.close();
  const report = verifyStore(store, { kind: "snapshot", snapshot: writer.id });
  assert.equal(report.isClean, false);
  assert.equal(report.snapshots[0]!.faults[0]!.renamedTo, undefined);
  assert.equal(report.snapshots[0]!.faultCount, 1);
});

Deno.test("DirectoryChunks has no chunk where there is something else", () => {
  using fixture = new Fixture();
  const { chunkPath, digest, path } = fixture;
  Deno.removeSync(chunkPath);
  const chunks = DirectoryChunks.open(path);
  for (const plant of [makeFifo, (name: string) => Deno.symlinkSync("/etc/passwd", name)]) {
    plant(chunkPath);
    assert.equal(chunks.storedSize(digest), 0);
    assert.equal(chunks.touch(digest), 0);
    Deno.removeSync(chunkPath);
    assert.equal(chunks.touch(digest), -1);
  }
  chunks.close();
});
