/**
 * What every `SnapshotStore` must do, as a function that the tests of each implementation call.
 *
 * @module
 */

import assert from "node:assert/strict";
import { allocateNativeBuffer } from "#ffi/libc/files.ts";
import { LimitError, UsageError } from "#src/errors.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { Manifest } from "#src/pbs/format/manifest.ts";
import {
  type GroupId,
  parseNamespace,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader, SnapshotStore, SnapshotWriter } from "#src/pbs/ports.ts";
import { Random } from "#tests/support/property_random.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "elsa" };
const NOBODY: GroupId = { ...GROUP, id: "nobody" };
const FIRST: SnapshotId = { group: GROUP, time: 1_700_000_000 };
const CRYPT = new CryptConfig(new Uint8Array(32).fill(9));
const CHUNK_SIZE = 4096;
const CONTENT = new Random(1).bytes(300_000);
const NOT_FOUND = { name: "StateError", code: "not-found" };
const LOCKED = { name: "StateError", code: "locked" };
const STEPS = 150;

/** A new place for snapshots, for one test. */
export interface SnapshotStoreFixture extends Disposable {
  /** Opens it, once more each time. */
  open(access: "read" | "write"): SnapshotStore;
}

/** What a server decides, unlike a storage. */
export interface ServerTraits {
  /** Who is logged in, and owns what is backed up. */
  readonly owner: string;
  /** The only size of chunks that images have. */
  readonly fixedChunkSize: number;
}

/**
 * Registers the tests of a kind of snapshot store. @param server what is different where it is a
 * server's
 */
export function testSnapshotStore(
  name: string,
  make: () => SnapshotStoreFixture,
  server?: ServerTraits,
): void {
  const owner = server?.owner ?? "root@pam";
  const fixedChunkSize = server?.fixedChunkSize ?? CHUNK_SIZE;
  const write = (writer: SnapshotWriter, content: Uint8Array<ArrayBuffer>) =>
    writeAll(writer, content, fixedChunkSize);
  const backUp = (store: SnapshotStore, { group, time }: SnapshotId) => {
    const writer = store.startSnapshot({ group, time });
    write(writer, CONTENT);
    return writer.finish();
  };
  const test = (
    what: string,
    run: (store: SnapshotStore, fixture: SnapshotStoreFixture) => void,
  ) => {
    Deno.test(`A snapshot store (${name}) ${what}`, () => {
      using fixture = make();
      const store = fixture.open("write");
      try {
        run(store, fixture);
      } finally {
        store.close();
      }
    });
  };

  test("is empty at first, and says of what is not there that it is not", (store) => {
    assert.equal(store.access, "write");
    assert.deepEqual(store.namespaces(), [ROOT_NAMESPACE]);
    assert.deepEqual(store.groups(ROOT_NAMESPACE), []);
    const nowhere = parseNamespace("no/where");
    const calls = [
      () => store.namespaces(nowhere),
      () => store.groups(nowhere),
      () => store.removeNamespace(nowhere),
      () => store.createNamespace(nowhere),
      () => store.plannedSnapshot({ ...GROUP, ns: nowhere }),
      () => store.startSnapshot({ group: { ...GROUP, ns: nowhere } }),
      () => store.groupInfo(NOBODY),
      () => store.snapshots(NOBODY),
      () => store.setOwner(NOBODY, "root@pam"),
      () => store.setGroupNotes(NOBODY, "x"),
      () => store.forgetGroup(NOBODY),
      () => store.planPrune(NOBODY, { last: 1 }),
      () => store.snapshotInfo(FIRST),
      () => store.manifest(FIRST),
      () => store.openSnapshot(FIRST),
      () => store.setNotes(FIRST, "x"),
      () => store.setProtected(FIRST, true),
      () => store.addClientLog(FIRST, new Uint8Array(1)),
      () => store.forget(FIRST),
    ];
    for (const call of calls) assert.throws(call, NOT_FOUND, String(call));
  });

  test("keeps namespaces", (store, fixture) => {
    const [team, sub, other] = ["team", "team/sub", "other"].map(parseNamespace);
    for (const ns of [team!, sub!, other!]) store.createNamespace(ns);
    assert.throws(() => store.createNamespace(sub!), { name: "StateError", code: "exists" });
    const reader = fixture.open("read");
    assert.deepEqual(new Set(reader.namespaces()), new Set([ROOT_NAMESPACE, team, sub, other]));
    assert.deepEqual(reader.namespaces(team), [team, sub]);
    reader.close();
    backUp(store, { group: { ...GROUP, ns: sub! }, time: 1 });
    assert.throws(() => store.removeNamespace(team!), { name: "StateError", code: "busy" });
    store.removeNamespace(team!, true);
    store.removeNamespace(other!);
    assert.deepEqual(store.namespaces(), [ROOT_NAMESPACE]);
  });

  for (const crypt of [undefined, CRYPT]) {
    test(`gives back what was backed up, ${crypt ? "encrypted" : "plain"}`, (store, fixture) => {
      assert.equal(store.plannedSnapshot(GROUP, FIRST.time).time, FIRST.time);
      const writer = store.startSnapshot({
        group: GROUP,
        time: FIRST.time,
        owner: server?.owner ?? "me@pbs",
        crypt,
      });
      assert.deepEqual(writer.id, FIRST);
      assert.equal(writer.previous, undefined);
      assert.equal(writer.keyFingerprint, crypt?.fingerprint);
      write(writer, CONTENT);
      const reading = fixture.open("read");
      assert.equal(reading.snapshotInfo(FIRST).isFinished, false);
      assert.throws(() => reading.openSnapshot(FIRST, { crypt }), { name: "StateError" });
      assert.equal(reading.groupInfo(GROUP).last, undefined);
      const summary = writer.finish();
      assert.equal(summary.newChunkCount > 0, true);

      const info = reading.snapshotInfo(FIRST);
      assert.equal(info.isFinished, true);
      assert.equal(info.isProtected, false);
      assert.equal(info.owner, "me@pbs");
      assert.equal(info.keyFingerprint, crypt?.fingerprint);
      const cryptMode = crypt === undefined ? "none" : "encrypt";
      const listed = info.files.filter(({ name }) => name !== "index.json.blob");
      assert.deepEqual(listed.map(({ name, size, cryptMode }) => [name, size, cryptMode]).sort(), [
        ["disk.img.fidx", CONTENT.length, cryptMode],
        ["note.blob", listed.find(({ name }) => name === "note.blob")!.size, cryptMode],
        ["root.pxar.didx", CONTENT.length, cryptMode],
      ]);
      const checksums = ({ files }: Manifest) =>
        files.map(({ filename, csum }) => [filename, csum]);
      assert.deepEqual(checksums(reading.manifest(FIRST)), checksums(summary.manifest));
      const { snapshots, last, owner } = reading.groupInfo(GROUP);
      assert.deepEqual([snapshots, last, owner], [[FIRST], FIRST, "me@pbs"]);

      if (crypt !== undefined) {
        assert.throws(() => reading.openSnapshot(FIRST), { name: "AuthError" });
        const other = new CryptConfig(new Uint8Array(32));
        assert.throws(() => reading.openSnapshot(FIRST, { crypt: other }), { name: "AuthError" });
      }
      const reader = reading.openSnapshot(FIRST, { crypt });
      assert.equal(reader.cryptMode, cryptMode);
      check(reader, CONTENT);
      assert.throws(() => reader.blob("none.blob"), NOT_FOUND);
      assert.throws(() => store.forget(FIRST), LOCKED);
      reader.close();
      reading.close();

      store.addClientLog(FIRST, CONTENT.slice(0, 50), { crypt });
      assert.throws(() => store.addClientLog(FIRST, CONTENT.slice(0, 50), { crypt }), {
        name: "StateError",
        code: "exists",
      });
      const again = store.openSnapshot(FIRST, { crypt });
      assert.deepEqual(again.blob("client.log.blob"), CONTENT.slice(0, 50));
      again.close();
    });
  }

  test("makes each snapshot on the one before, and leaves nothing of one that is given up", (store) => {
    const first = backUp(store, FIRST);
    const writer = store.startSnapshot({ group: GROUP });
    assert.equal(writer.id.time > FIRST.time, true);
    assert.deepEqual(writer.previous?.id, FIRST);
    assert.throws(() => store.startSnapshot({ group: GROUP }), LOCKED);
    const changed = CONTENT.slice();
    changed[100_000]! ^= 1;
    write(writer, changed);
    writer.abort();
    assert.deepEqual(store.snapshots(GROUP), [FIRST]);
    assert.throws(() => store.startSnapshot({ group: GROUP, time: FIRST.time }), {
      name: "StateError",
      code: "exists",
    });

    const second = store.startSnapshot({ group: GROUP });
    const known = second.previous!.dynamicIndex("root.pxar.didx");
    const stream = second.openDynamic("root.pxar.didx", {
      kind: "payload",
      averageSize: CHUNK_SIZE,
    });
    const chunks = Array.from({ length: known.count }, (_, position) => ({
      digest: known.digestOf(position),
      size: known.endOf(position) - known.startOf(position),
    }));
    stream.inject(chunks);
    assert.equal(stream.finish().injectedBytes, CONTENT.length);
    const image = second.openFixed("disk.img.fidx", CONTENT.length, fixedChunkSize);
    image.write(changed);
    assert.equal(image.finish().newChunkCount <= 1, true);
    second.addBlob("note.blob", CONTENT.slice(0, 100));
    const { id, newChunkCount, knownChunkCount } = second.finish();
    assert.equal(newChunkCount <= 1 && knownChunkCount >= chunks.length, true);
    assert.deepEqual(store.snapshots(GROUP), [FIRST, id]);
    assert.deepEqual(store.groupInfo(GROUP).last, id);
    const reader = store.openSnapshot(id);
    assert.deepEqual(bytesOf(reader, "root.pxar.didx"), CONTENT);
    assert.deepEqual(bytesOf(reader, "disk.img.fidx"), changed);
    reader.close();
    assert.equal(first.newChunkCount > 1, true);
    const group: GroupId = { ...GROUP, id: "never" };
    store.startSnapshot({ group }).abort();
    assert.deepEqual(store.groups(ROOT_NAMESPACE), [GROUP]);
  });

  test("keeps notes, owners and protection", (store, fixture) => {
    backUp(store, FIRST);
    const reader = fixture.open("read");
    for (const notes of ["first\nsecond — ünï", undefined]) {
      store.setNotes(FIRST, notes ?? "");
      store.setGroupNotes(GROUP, notes ?? "");
      assert.equal(reader.snapshotInfo(FIRST).notes, notes);
      assert.equal(reader.groupInfo(GROUP).notes, notes);
    }
    assert.throws(() => store.setNotes(FIRST, "x".repeat((1 << 20) + 1)), LimitError);
    assert.equal(reader.groupInfo(GROUP).owner, owner);
    store.setOwner(GROUP, "me@pbs!token");
    assert.equal(reader.groupInfo(GROUP).owner, "me@pbs!token");
    assert.throws(() => store.setOwner(GROUP, "nobody"), UsageError);
    assert.throws(() => store.startSnapshot({ group: GROUP, owner: "you@pbs" }), {
      name: "StateError",
      code: "foreign-owner",
    });
    store.setProtected(FIRST, true);
    store.setProtected(FIRST, true);
    assert.equal(reader.snapshotInfo(FIRST).isProtected, true);
    assert.throws(() => store.forget(FIRST), { name: "StateError", code: "protected" });
    const left = store.forgetGroup(GROUP);
    assert.deepEqual(left.map(({ id }) => id), [FIRST]);
    store.setProtected(FIRST, false);
    store.forget(FIRST);
    assert.deepEqual(reader.groups(ROOT_NAMESPACE), []);
    reader.close();
  });

  test("plans what pruning removes", (store) => {
    const ids = [1, 2, 3, 4].map((number) => ({ ...FIRST, time: FIRST.time + 86_400 * number }));
    for (const id of ids) backUp(store, id);
    store.setProtected(ids[0]!, true);
    const plan = store.planPrune(GROUP, { last: 2 });
    assert.deepEqual(plan.map(({ id, mark }) => [id.time, mark]), [
      [ids[3]!.time, "keep"],
      [ids[2]!.time, "keep"],
      [ids[1]!.time, "remove"],
      [ids[0]!.time, "protected"],
    ]);
    assert.throws(() => store.planPrune(GROUP, { last: -1 }), UsageError);
    assert.deepEqual(store.snapshots(GROUP), ids);
  });

  test("that is open for reading changes nothing", (store, fixture) => {
    backUp(store, FIRST);
    const reader = fixture.open("read");
    assert.equal(reader.access, "read");
    const calls = [
      () => reader.createNamespace(parseNamespace("team")),
      () => reader.startSnapshot({ group: GROUP }),
      () => reader.setOwner(GROUP, "me@pbs"),
      () => reader.setGroupNotes(GROUP, "x"),
      () => reader.setNotes(FIRST, "x"),
      () => reader.setProtected(FIRST, true),
      () => reader.addClientLog(FIRST, new Uint8Array(1)),
      () => reader.forget(FIRST),
      () => reader.forgetGroup(GROUP),
    ];
    for (const call of calls) assert.throws(call, UsageError, String(call));
    reader.close();
    const { isProtected, notes, owner } = store.snapshotInfo(FIRST);
    assert.deepEqual([isProtected, notes, owner], [false, undefined, server?.owner ?? "root@pam"]);
    const opened = store.openSnapshot(FIRST);
    check(opened, CONTENT);
    opened.close();
  });

  test("does the same as a list, whatever is done in which order", (store) => {
    const random = new Random(7);
    const model = new Map<string, number[]>();
    let time = FIRST.time;
    for (let step = 0; step < STEPS; step++) {
      const id = random.pick(["a", "b", "c"]);
      const group: GroupId = { ...GROUP, id };
      const times = model.get(id) ?? [];
      switch (random.between(0, 3)) {
        case 0:
        case 1: {
          const writer = store.startSnapshot({ group, time: ++time });
          writer.addBlob("note.blob", CONTENT.slice(0, step));
          if (random.oneIn(4)) writer.abort();
          else {
            writer.finish();
            model.set(id, [...times, time]);
          }
          break;
        }
        case 2:
          if (times.length > 0) {
            const gone = random.pick(times);
            store.forget({ group, time: gone });
            model.set(id, times.filter((one) => one !== gone));
          }
          break;
        case 3:
          if (times.length > 0 && random.oneIn(5)) {
            assert.deepEqual(store.forgetGroup(group), []);
            model.set(id, []);
          }
          break;
      }
      const expected = [...model].filter(([, times]) => times.length > 0).map(([id]) => id).sort();
      assert.deepEqual(store.groups(ROOT_NAMESPACE).map(({ id }) => id), expected);
      for (const known of expected) {
        const snapshots = store.snapshots({ ...GROUP, id: known });
        assert.deepEqual(snapshots.map(({ time }) => time), model.get(known));
      }
    }
  });
}

function writeAll(
  writer: SnapshotWriter,
  content: Uint8Array<ArrayBuffer>,
  fixedChunkSize: number,
): void {
  const archive = writer.openDynamic("root.pxar.didx", {
    kind: "dynamic",
    averageSize: CHUNK_SIZE,
  });
  const image = writer.openFixed("disk.img.fidx", content.length, fixedChunkSize);
  for (const stream of [archive, image]) {
    stream.write(content.subarray(0, 1000));
    stream.write(content.subarray(1000));
    assert.equal(stream.finish().size, content.length);
  }
  writer.addBlob("note.blob", content.slice(0, 100));
}

function check(reader: SnapshotReader, content: Uint8Array<ArrayBuffer>): void {
  assert.deepEqual(bytesOf(reader, "root.pxar.didx"), content);
  assert.deepEqual(bytesOf(reader, "disk.img.fidx"), content);
  assert.deepEqual(reader.blob("note.blob"), content.slice(0, 100));
  assert.equal(reader.fixedIndex("disk.img.fidx").size, content.length);
  const index = reader.dynamicIndex("root.pxar.didx");
  assert.equal(reader.chunks.has(index.digestOf(0)), true);
}

function bytesOf(reader: SnapshotReader, name: string): Uint8Array {
  const source = reader.openArchive(name);
  const buffer = allocateNativeBuffer(source.size);
  assert.equal(source.readAt(buffer, 0, source.size, 0), source.size);
  source.close();
  return buffer.bytes;
}
