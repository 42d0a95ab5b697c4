import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseDigest } from "#src/bytes/chunk_digest.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { FormatError, IntegrityError } from "#src/errors.ts";
import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { insertChunk } from "#src/pbs/storage/chunk_insertion.ts";
import { DirectoryChunks } from "#src/pbs/storage/directory/directory_chunks.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { describeStorageKeeper } from "#src/pbs/writing/storage_keeper.ts";
import { StoreChunkHandler } from "#src/pbs/writing/store_chunk_handler.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const OWNER = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
const DIGEST = parseDigest("ab".repeat(32));
const CRYPT = new CryptConfig(new Uint8Array(32).fill(3));
const codec = new BlobCodec(nativeCodecs());

function openNew(directory: TempDirectory, syncLevel: "none" | "file" = "none"): DirectoryChunks {
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  return DirectoryChunks.open(directory.join("store"), { owner: OWNER, syncLevel });
}

function blob(size: number, options: { compress?: boolean; crypt?: CryptConfig } = {}) {
  const plain = new Random(size).bytes(size);
  if (options.compress === true) plain.fill(1);
  return codec.encodeBytes(plain, { compress: options.compress ?? false, crypt: options.crypt });
}

function insert(store: DirectoryChunks, bytes: Uint8Array<ArrayBuffer>) {
  return insertChunk(store, DIGEST, nativeBufferOf(bytes), 0, bytes.length);
}

function stored(store: DirectoryChunks): Uint8Array {
  const size = store.read(DIGEST);
  return store.buffer.bytes.slice(0, size);
}

for (const syncLevel of ["none", "file"] as const) {
  Deno.test(`DirectoryChunks keeps what is inserted, sync level ${syncLevel}`, () => {
    using directory = new TempDirectory("chunks");
    const store = openNew(directory, syncLevel);
    assert.equal(store.read(DIGEST), -1);
    assert.equal(store.touch(DIGEST), -1);
    assert.equal(store.storedSize(DIGEST), -1);
    const bytes = blob(3_000_000);
    assert.deepEqual(insert(store, bytes), { isNew: true, storedSize: bytes.length });
    assert.deepEqual(stored(store), bytes);
    assert.equal(store.storedSize(DIGEST), bytes.length);
    assert.equal(store.pathOf(DIGEST), `${store.path}/abab/${DIGEST}`);
    const names = [...Deno.readDirSync(`${store.path}/abab`)].map((entry) => entry.name);
    assert.deepEqual(names, [DIGEST]);
    const stat = Deno.statSync(store.pathOf(DIGEST));
    assert.equal(stat.mode! & 0o777, 0o644);
    assert.equal(Deno.statSync(`${store.path}/abab`).mode! & 0o777, 0o750);
    store.close();
  });
}

Deno.test("DirectoryChunks touches what it has already, and nothing else of it", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  const bytes = blob(1000);
  insert(store, bytes);
  Deno.utimeSync(store.pathOf(DIGEST), 1000, 2000);
  assert.deepEqual(insert(store, bytes), { isNew: false, storedSize: bytes.length });
  const { atime, mtime } = Deno.statSync(store.pathOf(DIGEST));
  assert.ok(Date.now() - atime!.getTime() < 60_000);
  assert.equal(mtime!.getTime(), 2_000_000);
  Deno.utimeSync(store.pathOf(DIGEST), 1000, 2000);
  assert.equal(store.touch(DIGEST), bytes.length);
  assert.ok(Deno.statSync(store.pathOf(DIGEST)).atime!.getTime() > 1_000_000);
  store.close();
});

Deno.test("DirectoryChunks replaces empty and larger chunks, and keeps smaller ones", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  Deno.mkdirSync(`${store.path}/abab`);
  Deno.writeFileSync(store.pathOf(DIGEST), new Uint8Array(0));
  const [large, small] = [blob(1000), blob(1000, { compress: true })];
  assert.equal(insert(store, large).isNew, true);
  assert.deepEqual(insert(store, small), { isNew: false, storedSize: small.length });
  assert.deepEqual(stored(store), small);
  assert.deepEqual(insert(store, large), { isNew: false, storedSize: small.length });
  assert.deepEqual(stored(store), small);
  store.close();
});

Deno.test("DirectoryChunks does not mix encrypted chunks with others", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  insert(store, blob(1000));
  const encrypted = blob(1000, { crypt: CRYPT });
  assert.throws(() => insert(store, encrypted), IntegrityError);
  Deno.removeSync(store.pathOf(DIGEST));
  insert(store, encrypted);
  assert.throws(() => insert(store, blob(1001, { crypt: CRYPT })), IntegrityError);
  const packed = blob(1000, { crypt: CRYPT, compress: true });
  assert.equal(insert(store, packed).isNew, false);
  assert.deepEqual(stored(store), encrypted);
  store.close();
});

Deno.test("DirectoryChunks tells the inode of a chunk as its place, and none of what is not there", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  assert.equal(store.placeOf(DIGEST), 0);
  insert(store, blob(10));
  assert.equal(store.placeOf(DIGEST), Deno.statSync(store.pathOf(DIGEST)).ino);
  store.close();
});

Deno.test("DirectoryChunks adds only what is not there", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  const [first, second] = [nativeBufferOf(blob(10)), nativeBufferOf(blob(20))];
  assert.equal(store.add(DIGEST, first, 0, first.bytes.length), true);
  assert.equal(store.add(DIGEST, second, 0, second.bytes.length), false);
  assert.deepEqual(stored(store), first.bytes);
  assert.equal([...Deno.readDirSync(`${store.path}/abab`)].length, 1);
  store.close();
});

Deno.test("DirectoryChunks reads no file that is too large, and fails in directories that are none", () => {
  using directory = new TempDirectory("chunks");
  const store = openNew(directory);
  Deno.mkdirSync(`${store.path}/abab`);
  Deno.writeFileSync(store.pathOf(DIGEST), new Uint8Array(0));
  Deno.truncateSync(store.pathOf(DIGEST), (128 << 20) + 45);
  assert.throws(() => store.read(DIGEST), FormatError);
  Deno.removeSync(`${store.path}/abab`, { recursive: true });
  Deno.writeTextFileSync(`${store.path}/abab`, "");
  assert.equal(store.read(DIGEST), -1);
  assert.throws(() => insert(store, blob(10)), { name: "OsError", code: "ENOTDIR" });
  store.close();
});

Deno.test("StoreChunkHandler stores each chunk once, whatever it guesses", () => {
  using directory = new TempDirectory("chunks");
  openNew(directory).close();
  const storePath = directory.join("store");
  const writing = { owner: OWNER, syncLevel: "none" } as const;
  const storage: DirectoryDescription = { kind: "directory", path: storePath, writing };
  const handler = new StoreChunkHandler({
    keeper: describeStorageKeeper(storage, false),
    key: undefined,
  });
  const random = new Random(8);
  const pool = nativeBufferOf(random.bytes(100 * 1000));
  const seen = new Set<number>();
  for (let round = 0; round < 2000; round++) {
    // First mostly new ones, then mostly known ones.
    const number = Math.min(random.between(0, 99), random.between(0, 20 + round));
    const { digest, storedSize, isNew } = handler.handle(pool, number * 1000, 1000);
    assert.equal(isNew, !seen.has(number));
    seen.add(number);
    assert.equal(
      storedSize,
      Deno.statSync(`${storePath}/.chunks/${digest.slice(0, 4)}/${digest}`).size,
    );
  }
  handler.close();
});

Deno.test("StoreChunkHandler works in several processes on one store at a time", async () => {
  using directory = new TempDirectory("chunks");
  openNew(directory).close();
  const module = fileURLToPath(new URL("./_chunk_writer.ts", import.meta.url));
  const command = denoRunCommand(["--allow-all"], module, [directory.join("store")]);
  const children = [1, 2].map(() => runCommand(command, { timeoutMs: 60_000 }));
  const digests = (await Promise.all(children)).map(({ stdout }) => JSON.parse(stdout));
  assert.deepEqual(digests[0], digests[1]);
  const store = DirectoryChunks.open(directory.join("store"));
  const names: string[] = [];
  for (const { name } of Deno.readDirSync(store.path)) {
    names.push(...[...Deno.readDirSync(`${store.path}/${name}`)].map((entry) => entry.name));
  }
  assert.deepEqual(names.sort(), [...digests[0]].sort());
  for (const name of names) {
    const digest = parseDigest(name);
    const size = store.read(digest);
    codec.decodeBytes(store.buffer.bytes.slice(0, size), { digest });
  }
  store.close();
});
