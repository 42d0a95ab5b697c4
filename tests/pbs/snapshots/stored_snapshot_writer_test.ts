import assert from "node:assert/strict";
import { sha256Of } from "#src/codecs/hashing.ts";
import { StateError, UsageError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { SyncLevel } from "#src/pbs/storage/directory/directory_options.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import { type ManifestFile, uploadStatisticsOf } from "#src/pbs/format/manifest.ts";
import {
  formatSnapshot,
  type GroupId,
  parseNamespace,
  ROOT_NAMESPACE,
} from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader, SnapshotWriter } from "#src/pbs/ports.ts";
import { startStoreThreads } from "#src/pbs/writing/store_threads.ts";
import { runCommand } from "#tests/support/process.ts";
import {
  CHECK_DATASTORE,
  CHECKER_PYTHON,
  goldenDatastore,
  HAS_ALL_CHUNKS,
  PBS_KEYS,
} from "#tests/support/pbs_fixtures.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const GROUP: GroupId = { ns: parseNamespace(""), type: "host", id: "a" };
const RAW_KEY = JSON.parse(Deno.readTextFileSync(`${PBS_KEYS}/key-none.json`)).data as string;
const CRYPT = new CryptConfig(Uint8Array.fromBase64(RAW_KEY));
const OTHER_CRYPT = new CryptConfig(new Uint8Array(32).fill(7));
const KIB = 1024;

function openNew(directory: TempDirectory, syncLevel: SyncLevel = "none"): Datastore {
  const path = directory.join("store");
  // As a server's, but for the directories that stay empty.
  Deno.mkdirSync(`${path}/.chunks`, { recursive: true });
  return Datastore.open(path, { access: "write", lockTimeoutMs: 100, syncLevel });
}

function content(seed: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Random(seed).bytes(size);
  // The first half compresses.
  for (let offset = 0; offset < size / 2; offset++) bytes[offset]! &= 3;
  return bytes;
}

function readArchive(reader: SnapshotReader, name: string): Uint8Array {
  const source = reader.openArchive(name);
  const buffer = allocateNativeBuffer(source.size);
  assert.equal(source.readAt(buffer, 0, source.size, 0), source.size);
  return buffer.bytes;
}

function writeExample(writer: SnapshotWriter, stream: Uint8Array, image: Uint8Array): void {
  const data = writer.openDynamic("root.ppxar.didx", { kind: "dynamic", averageSize: 64 * KIB });
  const disk = writer.openFixed("disk.img.fidx", image.length, 64 * KIB);
  for (let offset = 0; offset < stream.length; offset += 10_000) {
    data.write(stream.subarray(offset, offset + 10_000));
    disk.write(image.subarray(offset, offset + 10_000));
  }
  disk.write(image.subarray(Math.ceil(stream.length / 10_000) * 10_000));
  assert.equal(data.finish().size, stream.length);
  assert.equal(disk.finish().size, image.length);
  writer.addBlob("vm.conf.blob", new TextEncoder().encode("memory: 1\n".repeat(100)));
  writer.addBlob("client.log.blob", new TextEncoder().encode("done\n"));
}

async function check(store: Datastore): Promise<void> {
  if (CHECK_DATASTORE === undefined) return;
  const command = [CHECKER_PYTHON, CHECK_DATASTORE, store.path, "--no-archives", "--json"];
  command.push("--key", `${PBS_KEYS}/key-none.json`, "--all-keys");
  const { code, stdout } = await runCommand(command, { timeoutMs: 60_000, check: false });
  const report = JSON.parse(stdout);
  assert.deepEqual(report.errors, []);
  const warnings = report.warnings.filter(({ where }: { where: string }) => where !== ".lock");
  assert.deepEqual(warnings, []);
  assert.equal(code, 0);
}

for (const cryptMode of ["none", "sign-only", "encrypt"] satisfies CryptMode[]) {
  Deno.test(`StoredSnapshotWriter writes what its reader reads, crypt mode ${cryptMode}`, async () => {
    using directory = new TempDirectory("writer");
    const store = openNew(directory);
    const stream = content(1, 1_500_000);
    const image = content(2, 2_000_001);
    const keyed = cryptMode === "none" ? {} : { crypt: CRYPT, cryptMode };

    const first = store.startSnapshot({ group: GROUP, time: 1_700_000_000, ...keyed });
    assert.equal(first.previous, undefined);
    writeExample(first, stream, image);
    const summary = first.finish();
    assert.ok(summary.newChunkCount > 30);
    assert.equal(summary.newBytes, stream.length + image.length);
    assert.equal(summary.knownChunkCount, 0);

    const reader = store.openSnapshot(first.id, keyed);
    assert.equal(reader.cryptMode, cryptMode);
    assert.deepEqual(readArchive(reader, "root.ppxar.didx"), stream);
    assert.deepEqual(readArchive(reader, "disk.img.fidx"), image);
    assert.equal(new TextDecoder().decode(reader.blob("client.log.blob")), "done\n");
    assert.equal(reader.blob("vm.conf.blob").length, 1000);
    const names = reader.manifest.files.map((file) => file.filename);
    assert.deepEqual(names, ["root.ppxar.didx", "disk.img.fidx", "vm.conf.blob"]);
    reader.close();

    const second = store.startSnapshot({ group: GROUP, ...keyed });
    assert.deepEqual(second.previous?.id, first.id);
    writeExample(second, stream, image);
    const again = second.finish();
    assert.equal(again.newChunkCount, 0);
    assert.equal(again.knownChunkCount, summary.newChunkCount);
    const statistics = uploadStatisticsOf(again.manifest)!;
    assert.deepEqual([statistics.count, statistics.compressedSize, statistics.duplicates], [
      0,
      0,
      0,
    ]);
    assert.equal(store.groupInfo(GROUP).owner, "root@pam");
    await check(store);
    store.close();
  });
}

for (const syncLevel of ["file", "filesystem"] satisfies SyncLevel[]) {
  Deno.test(`StoredSnapshotWriter writes with sync level ${syncLevel}, and leaves no temporary files`, () => {
    using directory = new TempDirectory("writer");
    const store = openNew(directory, syncLevel);
    const writer = store.startSnapshot({ group: GROUP, time: 1_700_000_000 });
    const [stream, image] = [content(1, 300_000), content(2, 400_000)];
    writeExample(writer, stream, image);
    writer.finish();
    const reader = store.openSnapshot(writer.id);
    assert.deepEqual(readArchive(reader, "root.ppxar.didx"), stream);
    reader.close();
    const names = [...Deno.readDirSync(`${store.path}/host/a/2023-11-14T22:13:20Z`)]
      .map((entry) => entry.name).sort();
    assert.deepEqual(names, [
      "client.log.blob",
      "disk.img.fidx",
      "index.json.blob",
      "root.ppxar.didx",
      "vm.conf.blob",
    ]);
    store.close();
  });
}

Deno.test("StoredSnapshotWriter stores with threads what it stores without", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const bytes = content(21, 40 << 20);
  const checksums = [0, 1].map((count) => {
    const group = { ...GROUP, id: `threads-${count}` };
    const writer = store.startSnapshot({ group, crypt: CRYPT, workers: { count } });
    const stream = writer.openDynamic("root.ppxar.didx", { kind: "dynamic", averageSize: 1 << 20 });
    for (let offset = 0; offset < bytes.length; offset += 1 << 20) {
      stream.write(bytes.subarray(offset, offset + (1 << 20)));
    }
    const { checksum, newChunkCount } = stream.finish();
    assert.equal(newChunkCount > 0, count === 0);
    writer.finish();
    return checksum;
  });
  assert.equal(checksums[0], checksums[1]);
  store.close();
});

Deno.test("StoredSnapshotWriter stores small snapshots with threads that are kept", async () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  using workers = startStoreThreads(1);
  for (let round = 0; round < 5; round++) {
    const bytes = content(30 + round, 2 << 20);
    const [kept, alone] = [{ workers }, {}].map((options, index) => {
      const group = { ...GROUP, id: `kept-${index}` };
      const writer = store.startSnapshot({ group, time: 1_700_000_000 + round, ...options });
      const stream = writer.openDynamic("root.ppxar.didx", { kind: "dynamic", averageSize: 4096 });
      stream.write(bytes);
      const { checksum, newChunkCount } = stream.finish();
      assert.equal(newChunkCount > 0, index === 0);
      writer.finish();
      return checksum;
    });
    assert.equal(kept, alone);
  }
  await check(store);
  store.close();
});

Deno.test("StoredSnapshotWriter injects chunks of the previous snapshot without reading them", async () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const stream = content(3, 800_000);
  const first = store.startSnapshot({ group: GROUP });
  const written = first.openDynamic("root.ppxar.didx", { kind: "payload", averageSize: 64 * KIB });
  written.write(stream);
  written.finish();
  first.finish();

  const second = store.startSnapshot({ group: GROUP });
  assert.equal(second.id.time > first.id.time, true);
  const index = second.previous!.dynamicIndex("root.ppxar.didx");
  const chunks = Array.from({ length: index.count }, (_, position) => ({
    digest: index.digestOf(position),
    size: index.endOf(position) - index.startOf(position),
  }));
  const reusing = second.openDynamic("root.ppxar.didx", { kind: "payload", averageSize: 64 * KIB });
  const mark = new TextEncoder().encode("sixteen bytes ..");
  reusing.write(mark);
  reusing.inject(chunks);
  assert.equal(reusing.position, 16 + stream.length);
  reusing.write(mark);
  const { newBytes, injectedBytes } = reusing.finish();
  assert.equal(injectedBytes, stream.length);
  assert.equal(newBytes, 16);
  const { manifest } = second.finish();
  assert.equal(uploadStatisticsOf(manifest)!.count, 1);
  const reader = store.openSnapshot(second.id);
  const whole = readArchive(reader, "root.ppxar.didx");
  assert.deepEqual(whole.subarray(16, -16), stream);
  reader.close();
  await check(store);
  store.close();
});

Deno.test("StoredSnapshotWriter takes no base that is of another key or failed verification", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const make = (options: { crypt?: CryptConfig; cryptMode?: CryptMode }) => {
    const writer = store.startSnapshot({ group: GROUP, ...options });
    const hasBase = writer.previous !== undefined;
    writer.addBlob("a.conf.blob", new Uint8Array(1));
    writer.finish();
    return hasBase;
  };
  const signed = { crypt: CRYPT, cryptMode: "sign-only" } as const;
  assert.equal(make({}), false);
  assert.equal(make({}), true);
  assert.equal(make(signed), true);
  assert.equal(make({}), false);
  assert.equal(make({ crypt: CRYPT }), false);
  assert.equal(make({ crypt: CRYPT }), true);
  assert.equal(make(signed), false);
  assert.equal(make({ crypt: OTHER_CRYPT, cryptMode: "sign-only" }), false);
  assert.equal(make({}), false);
  const last = store.groupInfo(GROUP).last!;
  store.changeManifest(last, (manifest) => ({
    ...manifest,
    unprotected: { verify_state: { state: "failed", upid: "UPID:x" } },
  }));
  assert.equal(make({}), false);
  store.close();
});

Deno.test("StoredSnapshotWriter refuses times that are taken, and finds one that is free", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const exists = { name: "StateError", code: "exists" };
  const time = Math.floor(Date.now() / 1000) + 200;
  const first = store.startSnapshot({ group: GROUP, time });
  first.addBlob("a.conf.blob", new Uint8Array(1));
  first.finish();
  assert.throws(() => store.startSnapshot({ group: GROUP, time }), exists);
  assert.throws(() => store.startSnapshot({ group: GROUP, time: time - 1 }), exists);
  const left = `${store.path}/host/a/${new Date((time + 1) * 1000).toISOString().slice(0, 19)}Z`;
  Deno.mkdirSync(left);
  Deno.writeTextFileSync(`${left}/root.pxar.tmp_didx`, "half");
  const next = store.startSnapshot({ group: GROUP });
  assert.equal(next.id.time, time + 2);
  next.abort();
  assert.equal(store.snapshots(GROUP).length, 2);
  // A time of somebody's choice is not taken by what a killed writer has left.
  const chosen = store.startSnapshot({ group: GROUP, time: time + 1 });
  assert.equal(chosen.id.time, time + 1);
  assert.deepEqual([...Deno.readDirSync(left)], []);
  chosen.abort();
  assert.equal(store.snapshots(GROUP).length, 1);
  store.close();
});

Deno.test("StoredSnapshotWriter that is given up leaves no group that was made for it", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const path = `${store.path}/host/a`;
  store.startSnapshot({ group: GROUP }).abort();
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  assert.throws(() => store.startSnapshot({ group: GROUP, time: -1 }), UsageError);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  const first = store.startSnapshot({ group: GROUP, time: 1_700_000_000 });
  first.addBlob("a.conf.blob", new Uint8Array(1));
  first.finish();
  store.startSnapshot({ group: GROUP }).abort();
  assert.deepEqual(store.groupInfo(GROUP).snapshots, [first.id]);
  store.close();
});

Deno.test("StoredSnapshotWriter writes chunks anew whose size shows that they are damaged", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const bytes = new Random(3).bytes(4096);
  const backUp = (time: number, crypt?: CryptConfig) => {
    const writer = store.startSnapshot({
      group: GROUP,
      time,
      crypt,
    });
    const image = writer.openFixed("disk.img.fidx", bytes.length, 4096);
    image.write(bytes);
    image.finish();
    return writer.finish();
  };
  let time = 1_700_000_000;
  for (const crypt of [undefined, CRYPT]) {
    const reader = store.openSnapshot(
      backUp(time++, crypt).id,
      crypt === undefined ? {} : { crypt },
    );
    const digest = reader.fixedIndex("disk.img.fidx").digestOf(0);
    reader.close();
    const path = store.storage.chunks.pathOf(digest);
    const whole = Deno.readFileSync(path);
    const header = crypt === undefined ? 12 : 44;
    for (const size of [0, 1, header, whole.length + 1, 2 * whole.length]) {
      const damaged = new Uint8Array(size);
      damaged.set(whole.subarray(0, size));
      Deno.writeFileSync(path, damaged);
      assert.equal(backUp(time++, crypt).newChunkCount, 1, `${size} bytes`);
      assert.equal(Deno.statSync(path).size, whole.length);
    }
    Deno.writeFileSync(path, whole.subarray(0, header));
    const writer = store.startSnapshot({ group: GROUP, time, ...(crypt && { crypt }) });
    assert.ok(!writer.keepChunk(digest));
    writer.abort();
    Deno.writeFileSync(path, whole);
    assert.equal(backUp(time++, crypt).newChunkCount, 0);
  }
  store.close();
});

Deno.test("StoredSnapshotWriter dates no snapshot after one that is ahead of the clock", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const backUp = (time?: number) => {
    const writer = store.startSnapshot({ group: GROUP, time });
    writer.addBlob("a.conf.blob", new Uint8Array(1));
    return writer.finish().id;
  };
  const time = Math.floor(Date.now() / 1000) + 4 * 365 * 86_400;
  const future = backUp(time);
  const refusal = {
    name: "StateError",
    code: "future-snapshot",
    message: new RegExp(formatSnapshot(future)),
    hint: /forget/,
  };
  assert.throws(() => backUp(), refusal);
  assert.throws(() => store.plannedSnapshot(GROUP), refusal);
  assert.equal(store.snapshots(GROUP).length, 1);
  // Whoever says the time knows it.
  assert.equal(store.plannedSnapshot(GROUP, time + 1).time, time + 1);
  backUp(time + 1);
  store.snapshots(GROUP).forEach((snapshot) => store.forget(snapshot));
  assert.ok(Math.abs(backUp().time - Date.now() / 1000) < 300);
  store.close();
});

Deno.test("StoredSnapshotWriter needs no index of the last snapshot that is damaged", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  for (const seed of [4, 5]) {
    const writer = store.startSnapshot({ group: GROUP });
    const stream = writer.openDynamic("root.pxar.didx", { kind: "dynamic", averageSize: 64 * KIB });
    // Partly the same chunks: those of before are asked for.
    stream.write(content(4, 300_000));
    stream.write(content(seed, 300_000));
    stream.finish();
    const { id } = writer.finish();
    const time = new Date(id.time * 1000).toISOString().slice(0, 19);
    Deno.truncateSync(`${store.path}/host/a/${time}Z/root.pxar.didx`, 4100);
  }
  assert.equal(store.snapshots(GROUP).length, 2);
  store.close();
});

Deno.test("StoredSnapshotWriter leaves nothing of a snapshot that is given up", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const writer = store.startSnapshot({ group: GROUP });
  const stream = writer.openDynamic("root.pxar.didx", { kind: "dynamic", averageSize: 64 * KIB });
  stream.write(content(4, 300_000));
  assert.throws(() => writer.finish(), { name: "StateError", code: "busy" });
  writer.abort();
  writer.abort();
  assert.deepEqual(store.groups(ROOT_NAMESPACE), []);
  assert.throws(() => writer.addBlob("a.conf.blob", new Uint8Array(1)), StateError);
  assert.equal(store.processLock.oldestSharedStart, undefined);
  const second = store.startSnapshot({ group: GROUP });
  assert.equal(store.processLock.oldestSharedStart !== undefined, true);
  second.abort();
  store.close();
});

Deno.test("StoredSnapshotWriter refuses names that lead elsewhere or are there twice", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const writer = store.startSnapshot({ group: GROUP });
  const bytes = new Uint8Array(1);
  for (
    const name of ["../a.blob", "a/b.blob", ".blob", "a.didx", "index.json.blob", "a\0.blob", ""]
  ) {
    assert.throws(() => writer.addBlob(name, bytes), UsageError, name);
  }
  writer.addBlob("a.conf.blob", bytes);
  assert.throws(() => writer.addBlob("a.conf.blob", bytes), UsageError);
  const options = { kind: "dynamic", averageSize: 4 << 20 } as const;
  assert.throws(() => writer.openDynamic("../x.didx", options), UsageError);
  assert.throws(() => writer.openFixed("x.didx", 1, 4096), UsageError);
  const image = writer.openFixed("x.img.fidx", 10, 4096);
  assert.throws(() => image.write(new Uint8Array(11)), { name: "IntegrityError" });
  image.write(new Uint8Array(9));
  assert.throws(() => image.finish(), { name: "IntegrityError", code: "length" });
  writer.abort();
  assert.throws(() => store.startSnapshot({ group: GROUP, cryptMode: "encrypt" }), UsageError);
  assert.throws(() => store.startSnapshot({ group: GROUP, owner: "a/b@c" }), UsageError);
  assert.throws(() => store.startSnapshot({ group: { ...GROUP, ns: parseNamespace("no") } }), {
    code: "not-found",
  });
  store.close();
});

Deno.test("StoredSnapshotWriter keeps to the owner of a group where one is asked for", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const first = store.startSnapshot({ group: GROUP, time: 1, owner: "me@pbs!token" });
  first.addBlob("a.conf.blob", new Uint8Array(1));
  first.finish();
  assert.equal(store.groupInfo(GROUP).owner, "me@pbs!token");
  assert.throws(() => store.startSnapshot({ group: GROUP, owner: "you@pbs" }), {
    code: "foreign-owner",
  });
  store.startSnapshot({ group: GROUP }).abort();
  store.close();
});

Deno.test("StoredSnapshotWriter gives root's files to the owner of the store", () => {
  if (Deno.uid() !== 0) return;
  using directory = new TempDirectory("writer");
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  Deno.chownSync(directory.join("store/.chunks"), 34, 34);
  const former = Deno.umask(0o077);
  try {
    const store = openNew(directory);
    const writer = store.startSnapshot({ group: GROUP });
    writeExample(writer, content(5, 100_000), content(6, 200_000));
    writer.finish();
    store.setNotes(writer.id, "seen");
    store.setGroupNotes(GROUP, "all");
    store.close();
    const walk = (path: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(path)) {
        const stat = Deno.lstatSync(`${path}/${name}`);
        assert.deepEqual([stat.uid, stat.gid], [34, 34], `${path}/${name}`);
        const isChunks = `${path}/${name}`.includes(".chunks/");
        assert.equal(stat.mode! & 0o777, isDirectory ? (isChunks ? 0o750 : 0o755) : 0o644, name);
        if (isDirectory) walk(`${path}/${name}`);
      }
    };
    Deno.chmodSync(`${store.path}/.chunks`, 0o755);
    walk(store.path);
  } finally {
    Deno.umask(former);
  }
});

Deno.test("StoredSnapshotWriter makes the digests of plain chunks those of their bytes", () => {
  using directory = new TempDirectory("writer");
  const store = openNew(directory);
  const writer = store.startSnapshot({ group: GROUP });
  const image = writer.openFixed("x.img.fidx", 4096, 4096);
  const bytes = content(9, 4096);
  image.write(bytes);
  image.finish();
  writer.finish();
  const reader = store.openSnapshot(writer.id);
  assert.equal(reader.fixedIndex("x.img.fidx").digestOf(0), sha256Of(bytes).toHex());
  reader.close();
  store.close();
});

Deno.test("StoredSnapshotWriter counts as the real server does", () => {
  if (!HAS_ALL_CHUNKS) return;
  using directory = new TempDirectory("writer");
  const golden = Datastore.open(goldenDatastore());
  const store = openNew(directory);
  const group = { ...GROUP, id: "alpha" };
  for (const id of golden.snapshots(group)) {
    const reader = golden.openSnapshot(id);
    const writer = store.startSnapshot({ group, time: id.time });
    for (const { filename } of reader.manifest.files) {
      if (filename.endsWith(".blob")) {
        writer.addBlob(filename, reader.blob(filename));
        continue;
      }
      const averageSize = filename.startsWith("catalog") ? 512 * KIB : 4096 * KIB;
      const stream = writer.openDynamic(filename, { kind: "dynamic", averageSize });
      stream.write(readArchive(reader, filename));
      stream.finish();
    }
    const { manifest } = writer.finish();
    // Compressed sizes are those of this machine's zstd: blobs have others, and the manifest is
    // part of what is counted.
    const indexes = (files: readonly ManifestFile[]) =>
      files.map(({ filename, size, csum }) => filename.endsWith("idx") ? { size, csum } : filename);
    assert.deepEqual(indexes(manifest.files), indexes(reader.manifest.files));
    const [ours, theirs] = [manifest, reader.manifest].map((each) => uploadStatisticsOf(each)!);
    assert.equal(ours!.count, theirs!.count);
    assert.equal(ours!.duplicates, theirs!.duplicates);
    assert.ok(Math.abs(ours!.size - theirs!.size) < 40, `${ours!.size}, ${theirs!.size}`);
    assert.ok(Math.abs(ours!.compressedSize / theirs!.compressedSize - 1) < 0.2);
    reader.close();
  }
  golden.close();
  store.close();
});
