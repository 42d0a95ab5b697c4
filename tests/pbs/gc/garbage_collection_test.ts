import assert from "node:assert/strict";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { FormatError, IntegrityError, OsError, StateError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { checkAccessTimes } from "#src/pbs/storage/directory/garbage/access_time_check.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { parseUpid } from "#src/pbs/format/upid.ts";
import type { DirectoryStorage } from "#src/pbs/storage/directory/directory_storage.ts";
import { collectGarbage, type GcProgress, readGcStatus } from "#src/pbs/gc/garbage_collection.ts";
import {
  EMPTY_GC_STATUS,
  formatGcStatus,
  gcStatusFields,
  parseGcStatus,
} from "#src/pbs/gc/status.ts";
import { BLOCK_SIZE, blockOf, groupOf, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** Of the chunk of 4 MiB zeros, by which access times are tried. */
const ZERO_DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8";
const DAY = 86_400;
const CUTOFF = DAY + 300;
const { UTIME_OMIT } = host;

/** A new store with a snapshot of some blocks. */
class Fixture implements Disposable {
  readonly #home = new TempDirectory("gc");
  readonly path = this.#home.join("store");
  readonly store: Datastore;

  constructor(blocks: readonly number[] = [0, 1, 2, 1]) {
    makeStore(this.path);
    this.store = openStore(this.path);
    if (blocks.length > 0) this.backUp(blocks);
  }

  backUp(blocks: readonly number[], time = 1_700_000_000): string {
    const writer = this.store.startSnapshot({ group: groupOf("a"), time });
    const image = writer.openFixed("disk.img.fidx", blocks.length * BLOCK_SIZE, BLOCK_SIZE);
    for (const block of blocks) image.write(blockOf(block));
    image.finish();
    writer.finish();
    return `${this.path}/host/a/${new Date(time * 1000).toISOString().replace(".000", "")}`;
  }

  chunkPath(name: string): string {
    return `${this.path}/.chunks/${name.slice(0, 4)}/${name}`;
  }

  /** A chunk's file that nothing names, last used so many seconds ago. */
  addFile(name: string, ageSeconds: number, content = "x".repeat(100)): string {
    const path = this.chunkPath(name);
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, content);
    age(path, ageSeconds);
    return path;
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#home[Symbol.dispose]();
  }
}

function age(path: string, seconds: number): void {
  const time = Math.floor(Date.now() / 1000) - seconds;
  const result = host.utimensAt(host.At.FDCWD, path, time, 0, time, 0);
  host.unwrap(result, "utimens", path);
}

function ageAccess(path: string, seconds: number): void {
  const time = Math.floor(Date.now() / 1000) - seconds;
  host.unwrap(host.utimensAt(host.At.FDCWD, path, time, 0, 0, UTIME_OMIT), "utimens", path);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function digestOfBlock(number: number): string {
  return sha256Of(blockOf(number)).toHex();
}

function nameOf(byte: number): string {
  return new Uint8Array(32).fill(byte).toHex();
}

Deno.test("collectGarbage() spares what a running backup keeps of a snapshot that is removed", () => {
  using fixture = new Fixture([1, 2]);
  const { store } = fixture;
  const [one, two] = [1, 2].map((number) => new Uint8Array(sha256Of(blockOf(number))).toHex());
  for (const name of [one!, two!]) age(fixture.chunkPath(name), 2 * DAY);
  const writer = store.startSnapshot({ group: groupOf("b") });
  assert.ok(writer.keepChunk(digestOf(sha256Of(blockOf(1)))));
  assert.ok(!writer.keepChunk(digestOf(new Uint8Array(32))));
  store.forget({ group: groupOf("a"), time: 1_700_000_000 });
  collectGarbage(store);
  writer.abort();
  assert.deepEqual([one!, two!].map((name) => exists(fixture.chunkPath(name))), [true, false]);
});

Deno.test("parseGcStatus and formatGcStatus agree on a server's file", () => {
  const text = `{
    "upid": "UPID:vm:00001FBD:0004F12B:00000016:6B010456:garbage_collection:test:tester@pbs:",
    "index-file-count": 2, "index-data-bytes": 5520187, "disk-bytes": 1079785,
    "disk-chunks": 10, "removed-bytes": 196180, "removed-chunks": 0, "pending-bytes": 32924,
    "pending-chunks": 0, "removed-bad": 1, "still-bad": 3, "another": {"a": 1}
  }`;
  const status = parseGcStatus(text);
  assert.equal(status.removedBad, 1);
  assert.equal(status.indexDataBytes, 5520187);
  const { another: _, ...fields } = JSON.parse(text);
  assert.deepEqual(JSON.parse(formatGcStatus(status)), fields);
  assert.deepEqual(Object.keys(gcStatusFields(status)), Object.keys(fields));
  assert.deepEqual(parseGcStatus('{"upid":null}'), EMPTY_GC_STATUS);
  for (const bad of ["", "[]", "null", '{"disk-bytes":-1}', '{"upid":1}', '{"disk-chunks":1.5}']) {
    assert.throws(() => parseGcStatus(bad), FormatError, bad);
  }
});

Deno.test("collectGarbage removes, counts and keeps by age as a server does", () => {
  using fixture = new Fixture([0, 1, 2, 1]);
  const { store, path } = fixture;
  for (const block of [0, 1, 2]) ageAccess(fixture.chunkPath(digestOfBlock(block)), 10 * DAY);
  const removed = fixture.addFile(nameOf(1), CUTOFF + 60, "r".repeat(7));
  const pending = fixture.addFile(nameOf(2), CUTOFF - 60, "p".repeat(11));
  const recent = fixture.addFile(nameOf(3), -60, "d".repeat(13));
  const removedBad = fixture.addFile(`${nameOf(4)}.0.bad`, CUTOFF + 60, "b".repeat(17));
  const stillBad = fixture.addFile(`${nameOf(4)}.9.bad`, CUTOFF - 60, "s".repeat(19));
  const recentBad = fixture.addFile(`${nameOf(4)}.5.bad`, -60, "n".repeat(23));
  const others = [
    fixture.addFile(`${nameOf(5)}.bad`, 10 * DAY),
    fixture.addFile(`${nameOf(5)}.10.bad`, 10 * DAY),
    fixture.addFile(nameOf(5).slice(1), 10 * DAY),
    fixture.addFile(nameOf(0xab).toUpperCase(), 10 * DAY),
  ];
  const snapshotBytes = [0, 1, 2]
    .map((block) => Deno.statSync(fixture.chunkPath(digestOfBlock(block))).size)
    .reduce((sum, size) => sum + size);
  const status = collectGarbage(store, { storeName: "a/b", authId: "tester@pbs" });
  const zeroBytes = Deno.statSync(fixture.chunkPath(ZERO_DIGEST)).size;
  assert.deepEqual({ ...status, upid: "" }, {
    upid: "",
    indexFileCount: 1,
    indexDataBytes: 4 * BLOCK_SIZE,
    diskBytes: snapshotBytes + zeroBytes + 13 + 23,
    diskChunks: 5,
    removedBytes: 7 + 17,
    removedChunks: 1,
    pendingBytes: 11 + 19,
    pendingChunks: 1,
    removedBad: 1,
    stillBad: 1,
  });
  const upid = parseUpid(status.upid!);
  assert.equal(upid.type, "garbage_collection");
  assert.equal(upid.id, "a/b");
  assert.equal(upid.authId, "tester@pbs");
  assert.deepEqual([removed, removedBad].filter(exists), []);
  assert.ok([pending, recent, stillBad, recentBad, ...others].every(exists));
  assert.deepEqual(readGcStatus(store), status);
  const { uid, gid, mode } = Deno.statSync(`${path}/.gc-status`);
  const owner = Deno.statSync(`${path}/.chunks`);
  assert.deepEqual([uid, gid, mode! & 0o777], [owner.uid, owner.gid, 0o644]);
});

/** Runs something by a clock that is ahead by so many seconds. */
function asOf<Result>(seconds: number, run: () => Result): Result {
  const { now } = Date;
  Date.now = () => now() + seconds * 1000;
  try {
    return run();
  } finally {
    Date.now = now;
  }
}

Deno.test("collectGarbage spares what a running backup of its own process used", () => {
  using fixture = new Fixture([]);
  const { store } = fixture;
  const lock = asOf(-2 * DAY, () => store.processLock.acquireShared());
  const used = fixture.addFile(nameOf(1), 2 * DAY - 10);
  const margin = fixture.addFile(nameOf(2), 2 * DAY + 240);
  const old = fixture.addFile(nameOf(3), 2 * DAY + 360);
  const status = collectGarbage(store);
  assert.deepEqual([used, margin, old].map(exists), [true, true, false]);
  assert.equal(status.removedChunks, 1);
  assert.equal(status.pendingChunks, 1);
  lock.release();
  assert.equal(collectGarbage(store).removedChunks, 2);
});

Deno.test("collectGarbage counts what is in use as such where the clock of the disk is behind", () => {
  using fixture = new Fixture();
  const status = asOf(60, () => collectGarbage(fixture.store, { keepMinutes: 0 }));
  // Three of the snapshot, and that by which access times are tried.
  assert.deepEqual([status.diskChunks, status.pendingChunks], [4, 0]);
});

Deno.test("collectGarbage keeps the corrupt forms of chunks that are missed, and says which", () => {
  using fixture = new Fixture([3]);
  const digest = digestOfBlock(3);
  Deno.removeSync(fixture.chunkPath(digest));
  const bad = fixture.addFile(`${digest}.3.bad`, 10 * DAY);
  const warnings: string[] = [];
  collectGarbage(fixture.store, { onWarning: (message) => warnings.push(message) });
  assert.ok(exists(bad));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, new RegExp(digest));
});

Deno.test("collectGarbage removes nothing when it cannot read an index", () => {
  using fixture = new Fixture();
  const { store } = fixture;
  const garbage = fixture.addFile(nameOf(1), 10 * DAY);
  const snapshot = fixture.backUp([5], 1_700_001_000);
  const good = Deno.readFileSync(`${snapshot}/disk.img.fidx`);
  const index = `${snapshot}/other.img.fidx`;
  const refuses = (make: () => void, ...kinds: (new () => Error)[]) => {
    make();
    assert.throws(
      () => collectGarbage(store, { checkAccessTimes: false }),
      (error) => kinds.some((kind) => error instanceof kind),
    );
    Deno.removeSync(index, { recursive: true });
    assert.ok(exists(garbage));
  };
  // deno-lint-ignore no-explicit-any -- constructors of errors
  const [format, integrity, os] = [FormatError, IntegrityError, OsError] as any[];
  for (const size of [0, 100, 4095, 4096, good.length - 1]) {
    refuses(() => Deno.writeFileSync(index, good.slice(0, size)), format);
  }
  const flipped = good.slice();
  flipped[4100]! ^= 1;
  refuses(() => Deno.writeFileSync(index, flipped), integrity);
  refuses(() => Deno.symlinkSync("disk.img.fidx", index), os);
  refuses(() => {
    const { code } = new Deno.Command("mkfifo", { args: [index] }).outputSync();
    assert.equal(code, 0);
  }, os);
  assert.deepEqual(readGcStatus(store), EMPTY_GC_STATUS);
  assert.equal(collectGarbage(store, { checkAccessTimes: false }).removedChunks, 1);
});

Deno.test("collectGarbage looks for indexes everywhere, also behind links, but not in hidden places", () => {
  using fixture = new Fixture([]);
  const { store, path } = fixture;
  const chunk = (byte: number) => {
    const builder = new DynamicIndexBuilder();
    builder.add(digestOf(new Uint8Array(32).fill(byte)), 10);
    fixture.addFile(nameOf(byte), 10 * DAY);
    return builder.finish({ uuid: new Uint8Array(16), ctime: 0 }, sha256Of).bytes;
  };
  using elsewhere = new TempDirectory("gc");
  Deno.mkdirSync(`${path}/ns/x/strange`, { recursive: true });
  Deno.mkdirSync(`${path}/lost+found`);
  Deno.mkdirSync(`${path}/.hidden`);
  Deno.writeFileSync(`${path}/ns/x/strange/a.didx`, chunk(1));
  Deno.writeFileSync(`${path}/b.didx`, chunk(2));
  Deno.writeFileSync(elsewhere.join("c.didx"), chunk(3));
  Deno.writeFileSync(`${path}/.hidden/d.didx`, chunk(4));
  Deno.writeFileSync(`${path}/e.tmp_didx`, chunk(5));
  Deno.writeFileSync(`${path}/ns/.f.didx`, chunk(6));
  Deno.symlinkSync(elsewhere.path, `${path}/ns/link`);
  Deno.symlinkSync("..", `${path}/ns/x/loop`);
  Deno.symlinkSync("nowhere", `${path}/ns/x/dangling`);
  // What it led to may need chunks.
  assert.throws(
    () => collectGarbage(store, { checkAccessTimes: false }),
    (error) => error instanceof StateError && error.code === "not-found",
  );
  Deno.removeSync(`${path}/ns/x/dangling`);
  const status = collectGarbage(store, { checkAccessTimes: false });
  assert.equal(status.indexFileCount, 3);
  assert.equal(status.indexDataBytes, 30);
  const kept = [1, 2, 3, 4, 5, 6].filter((byte) => exists(fixture.chunkPath(nameOf(byte))));
  assert.deepEqual(kept, [1, 2, 3]);
});

Deno.test("collectGarbage removes files of killed writers when they are old, and odd ones never", () => {
  using fixture = new Fixture([]);
  const old = fixture.addFile(`${nameOf(1)}.tmp_AbCdEf`, 10 * DAY);
  const young = fixture.addFile(`${nameOf(1)}.tmp_AbCdEg`, 60);
  const odd = fixture.chunkPath(nameOf(2));
  Deno.mkdirSync(odd, { recursive: true });
  const link = fixture.chunkPath(nameOf(3));
  Deno.mkdirSync(link.slice(0, link.lastIndexOf("/")), { recursive: true });
  Deno.symlinkSync("/etc/passwd", link);
  const warnings: string[] = [];
  // The change time of a file cannot be set: so nothing is old by it.
  const status = collectGarbage(fixture.store, {
    keepMinutes: 0,
    onWarning: (message) => warnings.push(message),
  });
  assert.ok([old, young, odd, link].every(exists));
  assert.equal(warnings.length, 2);
  assert.equal(status.removedChunks, 0);
  const lock = fixture.store.processLock.acquireExclusive();
  assert.ok(lock.startTime > 0);
  lock.release();
  waitForNextSecond();
  collectGarbage(fixture.store, { keepMinutes: 0 });
  assert.deepEqual([old, young, odd, link].map(exists), [false, false, true, true]);
});

function waitForNextSecond(): void {
  const rest = 1000 - Date.now() % 1000;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, rest + 20);
}

Deno.test("collectGarbage is refused where another process writes, and excludes it otherwise", async () => {
  using fixture = new Fixture();
  const { store, path } = fixture;
  // Classic fcntl locks, as a server takes them.
  const holder = (kind: string) => [
    "python3",
    "-c",
    `import fcntl,sys
f=open(sys.argv[1],"r+")
try:
  fcntl.lockf(f, fcntl.LOCK_${kind}|fcntl.LOCK_NB)
  print("held",flush=True)
  sys.stdin.read()
except OSError:
  print("refused",flush=True)`,
    `${path}/.lock`,
  ];
  const heldBy = async (kind: string) => {
    const other = new RunningCommand(holder(kind), { interactive: true });
    await waitUntil(() => other.stdout !== "", 10_000, () => `${other.stderr}`, 5);
    return other;
  };
  for (const kind of ["SH", "EX"]) {
    const other = await heldBy(kind);
    assert.equal(other.stdout.trim(), "held");
    assert.throws(
      () => collectGarbage(store),
      (error) => error instanceof StateError && error.code === "locked",
    );
    other.closeInput();
    await other.wait(10_000);
  }
  const answers: string[] = [];
  for (const kind of ["SH", "EX"]) {
    const lock = store.processLock.acquireExclusive();
    const command = await heldBy(kind);
    answers.push(command.stdout.trim());
    command.closeInput();
    await command.wait(10_000);
    lock.release();
  }
  assert.deepEqual(answers, ["refused", "refused"]);
  collectGarbage(store);
});

Deno.test("collectGarbage tells how far it is, and stops when it is told to", () => {
  using fixture = new Fixture();
  fixture.backUp([9], 1_700_001_000);
  const seen: GcProgress[] = [];
  collectGarbage(fixture.store, { onProgress: (progress) => seen.push(progress) });
  const marks = seen.filter(({ phase }) => phase === "mark");
  assert.deepEqual(marks.map(({ done, total }) => [done, total]), [[0, 2], [1, 2], [2, 2]]);
  const last = seen.at(-1)!;
  assert.ok(last.phase === "sweep" && last.done === last.total && last.chunkCount === 5);
  const garbage = fixture.addFile(nameOf(0xff), 10 * DAY);
  const controller = new AbortController();
  const options = {
    signal: controller.signal,
    onProgress: ({ phase }: GcProgress) => phase === "sweep" && controller.abort(),
  };
  assert.throws(() => collectGarbage(fixture.store, options), { name: "AbortError" });
  assert.ok(exists(garbage));
  assert.equal(collectGarbage(fixture.store).diskChunks, 5);
});

Deno.test("collectGarbage needs a store that is open for writing, and a sensible age", () => {
  using fixture = new Fixture();
  const reading = Datastore.open(fixture.path);
  assert.throws(() => collectGarbage(reading), UsageError);
  reading.close();
  for (const keepMinutes of [-1, 0.5, NaN]) {
    assert.throws(() => collectGarbage(fixture.store, { keepMinutes }), UsageError);
  }
});

Deno.test("checkAccessTimes refuses file systems whose clock is another", () => {
  using fixture = new Fixture();
  checkAccessTimes((fixture.store.storage as DirectoryStorage).chunks, () => Date.now() / 1000);
  assert.throws(
    () =>
      checkAccessTimes(
        (fixture.store.storage as DirectoryStorage).chunks,
        () => Date.now() / 1000 + 1000,
      ),
    (error) => error instanceof StateError && error.code === "access-times",
  );
});
