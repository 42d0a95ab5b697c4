import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { AuthError, FormatError, IntegrityError, StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { findManifestFile } from "#src/pbs/format/manifest.ts";
import { parseNamespace, parseSnapshot, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import {
  chunkPath,
  expectedDatastore,
  type ExpectedSnapshot,
  goldenDatastore,
  goldenKey,
  hasChunks,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const EXPECTED = expectedDatastore();

function idOf({ ns, snapshot }: ExpectedSnapshot): SnapshotId {
  return parseSnapshot(snapshot, parseNamespace(ns));
}

function optionsFor(expected: ExpectedSnapshot) {
  const crypt = goldenKey(expected.key);
  return crypt === undefined ? {} : { crypt };
}

function readWhole(source: ByteSource, stepSize: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(source.size);
  const buffer = allocateNativeBuffer(stepSize);
  for (let offset = 0; offset < source.size;) {
    const count = source.readAt(buffer, 0, stepSize, offset);
    assert.ok(count > 0);
    bytes.set(buffer.bytes.subarray(0, count), offset);
    offset += count;
  }
  assert.equal(source.readAt(buffer, 0, stepSize, source.size), 0);
  return bytes;
}

for (const expected of EXPECTED.snapshots) {
  const title = `${expected.ns} ${expected.snapshot}`.trim();

  Deno.test(`LocalSnapshotReader reads the golden snapshot ${title}`, () => {
    const store = Datastore.open(goldenDatastore());
    const reader = store.openSnapshot(idOf(expected), optionsFor(expected));
    assert.equal(reader.cryptMode, expected["crypt-mode"]);
    for (const [name, { size, sha256 }] of Object.entries(expected.blobs)) {
      const content = reader.blob(name);
      assert.equal(content.length, size, name);
      assert.equal(sha256Of(content).toHex(), sha256, name);
    }
    for (const [name, { size, sha256 }] of Object.entries(expected.images)) {
      if (!hasChunks(readIndex(`${snapshotPath(expected)}/${name}`))) continue;
      const image = readWhole(reader.openArchive(name), 1_000_003);
      assert.equal(image.length, size, name);
      assert.equal(sha256Of(image).toHex(), sha256, name);
    }
    for (const { filename } of reader.manifest.files) {
      if (filename.endsWith(".blob")) {
        reader.blob(filename);
        continue;
      }
      if (!hasChunks(readIndex(`${snapshotPath(expected)}/${filename}`))) continue;
      const source = reader.openArchive(filename);
      const whole = readWhole(source, 300_007);
      assert.deepEqual(readWhole(source, 20 << 20), whole);
    }
    reader.close();
    store.close();
  });
}

Deno.test("LocalSnapshotReader refuses keys that are wrong or missing", () => {
  const store = Datastore.open(goldenDatastore());
  const wrong = goldenKey("keys/key-none.json")!;
  for (const expected of EXPECTED.snapshots) {
    if (expected.key === null || expected.key === "keys/key-none.json") continue;
    const id = idOf(expected);
    assert.throws(() => store.openSnapshot(id), { name: "AuthError", code: "missing-key" });
    assert.throws(() => store.openSnapshot(id, { crypt: wrong }), {
      name: "AuthError",
      code: "wrong-key",
    });
    const reader = store.openSnapshot(id, { isKeyOptional: true });
    const isEncrypted = expected["crypt-mode"] === "encrypt";
    for (const { filename } of reader.manifest.files) {
      if (!filename.endsWith(".conf.blob")) continue;
      if (isEncrypted) assert.throws(() => reader.blob(filename), AuthError);
      else reader.blob(filename);
    }
    reader.close();
  }
  store.close();
});

Deno.test("LocalSnapshotReader says what is not there", () => {
  const store = Datastore.open(goldenDatastore());
  const notFound = { name: "StateError", code: "not-found" };
  const absent = parseSnapshot("host/alpha/2024-01-10T10:00:01Z", parseNamespace(""));
  assert.throws(() => store.openSnapshot(absent), notFound);
  const expected = EXPECTED.snapshots.find(({ snapshot }) => snapshot.startsWith("host/alpha/"))!;
  const reader = store.openSnapshot(idOf(expected));
  assert.throws(() => reader.blob("other.conf.blob"), notFound);
  assert.throws(() => reader.openArchive("../x.didx"), notFound);
  assert.throws(() => reader.dynamicIndex("vm.conf.blob"), { name: "UsageError" });
  reader.close();
  store.close();
});

/** Opens everything of a snapshot. */
function readAll(store: Datastore, expected: ExpectedSnapshot): void {
  const reader = store.openSnapshot(idOf(expected), optionsFor(expected));
  const buffer = plainBuffer(0);
  try {
    for (const { filename } of reader.manifest.files) {
      if (filename.endsWith(".blob")) reader.blob(filename);
      else reader.openArchive(filename).readAt(buffer, 0, 0, 0);
    }
  } finally {
    reader.close();
  }
}

Deno.test("LocalSnapshotReader refuses a flipped bit anywhere in a file of a snapshot", () => {
  using directory = new TempDirectory("flip");
  for (const name of ["host/sign", "host/enc", "vm/101"]) {
    const expected = EXPECTED.snapshots.find(({ snapshot }) => snapshot.startsWith(`${name}/`))!;
    const root = directory.join(name.replace("/", "-"));
    const target = `${root}/${expected.snapshot}`;
    Deno.mkdirSync(target, { recursive: true });
    Deno.mkdirSync(`${root}/.chunks`);
    const files = [...Deno.readDirSync(snapshotPath(expected))].map((entry) => entry.name);
    for (const file of files) {
      Deno.copyFileSync(`${snapshotPath(expected)}/${file}`, `${target}/${file}`);
    }
    const store = Datastore.open(root);
    readAll(store, expected);
    const listed = ["index.json.blob"];
    listed.push(...store.manifest(idOf(expected)).files.map((file) => file.filename));
    for (const file of listed) {
      const good = Deno.readFileSync(`${target}/${file}`);
      const step = good.length > 1000 ? 23 : 1;
      for (let offset = 0; offset < good.length; offset += step) {
        // Nothing covers the uuid and the time of an index.
        if (file.endsWith("idx") && offset >= 8 && offset < 32) continue;
        const bad = good.slice();
        bad[offset]! ^= 1 << (offset % 8);
        Deno.writeFileSync(`${target}/${file}`, bad);
        assert.throws(
          () => readAll(store, expected),
          (error) => error instanceof IntegrityError || error instanceof FormatError,
          `${file} at ${offset}`,
        );
      }
      Deno.writeFileSync(`${target}/${file}`, good);
    }
    store.close();
  }
});

Deno.test("LocalSnapshotReader refuses a flipped bit anywhere in a chunk, with its path", () => {
  using directory = new TempDirectory("flip");
  for (const name of ["ct/200", "host/splitenc"]) {
    const expected = EXPECTED.snapshots.find(({ snapshot }) => snapshot.startsWith(`${name}/`))!;
    const golden = Datastore.open(goldenDatastore());
    const { files } = golden.manifest(idOf(expected));
    golden.close();
    const file = files.find(({ filename }) => filename.match(/^(catalog|root\.mpxar).*didx$/))!;
    const index = readIndex(`${snapshotPath(expected)}/${file.filename}`);
    const digest = index.digestOf(0);
    const root = directory.join(name.replace("/", "-"));
    const target = `${root}/${expected.snapshot}`;
    Deno.mkdirSync(target, { recursive: true });
    Deno.mkdirSync(`${root}/.chunks/${digest.slice(0, 4)}`, { recursive: true });
    for (const entry of Deno.readDirSync(snapshotPath(expected))) {
      Deno.copyFileSync(`${snapshotPath(expected)}/${entry.name}`, `${target}/${entry.name}`);
    }
    const path = `${root}/.chunks/${digest.slice(0, 4)}/${digest}`;
    const good = Deno.readFileSync(chunkPath(digest));
    const store = Datastore.open(root);
    const reader = store.openSnapshot(idOf(expected), optionsFor(expected));
    const size = index.endOf(0);
    const buffer = allocateNativeBuffer(size);
    const load = () => reader.chunks.load(digest, size, buffer, 0);
    assert.throws(load, (error) => error instanceof StateError && error.code === "not-found");
    Deno.writeFileSync(path, good);
    load();
    for (let offset = 0; offset < good.length; offset += offset < 100 ? 1 : 41) {
      const bad = good.slice();
      bad[offset]! ^= 1 << (offset % 8);
      Deno.writeFileSync(path, bad);
      assert.throws(load, (error) => {
        assert.ok(error instanceof IntegrityError || error instanceof FormatError);
        assert.equal(error.path, Deno.realPathSync(path));
        return true;
      });
    }
    for (const length of [0, 11, 12, 43, good.length - 1]) {
      Deno.writeFileSync(path, good.subarray(0, length));
      assert.throws(load, (e) => e instanceof IntegrityError || e instanceof FormatError);
    }
    Deno.writeFileSync(path, good);
    assert.throws(() => reader.chunks.load(digest, size - 1, buffer, 0), IntegrityError);
    reader.close();
    store.close();
  }
});

Deno.test("LocalSnapshotReader refuses a chunk that is encrypted unlike its snapshot", () => {
  const store = Datastore.open(goldenDatastore());
  const [plain, encrypted] = ["ct/200/", "host/enc/"].map((name) =>
    EXPECTED.snapshots.find(({ snapshot }) => snapshot.startsWith(name))!
  );
  const readers = [plain!, encrypted!].map((e) => store.openSnapshot(idOf(e), optionsFor(e)));
  const digests = readers.map((reader) => {
    const file = findManifestFile(reader.manifest, "catalog.pcat1.didx")!;
    return { digest: reader.dynamicIndex(file.filename).digestOf(0), size: file.size };
  });
  const buffer = allocateNativeBuffer(10_000);
  readers.forEach((reader, index) => {
    const other = digests[1 - index]!;
    assert.throws(() => reader.chunks.load(other.digest, other.size, buffer, 0), {
      name: "IntegrityError",
      code: "crypt-mode",
    });
    reader.close();
  });
  store.close();
});
