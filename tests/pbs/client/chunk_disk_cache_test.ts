import assert from "node:assert/strict";
import { allocateNativeBuffer, nativeBufferOf } from "#ffi/libc/calls.ts";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { ChunkDiskCache } from "#src/pbs/client/chunk_disk_cache.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { FakeNetwork } from "./_fake_network.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "a" };
const SNAPSHOT = { group: GROUP, time: 1_700_000_000 };
const CONTENT = new Random(3).bytes(400_000);

function chunk(number: number, size = 1000) {
  const bytes = new Random(number).bytes(size);
  return { digest: digestOf(sha256Of(bytes)), bytes };
}

function put(cache: ChunkDiskCache, number: number, size?: number): void {
  const { digest, bytes } = chunk(number, size);
  cache.write(digest, nativeBufferOf(bytes), bytes.length);
}

function get(cache: ChunkDiskCache, number: number, size?: number): boolean {
  const { digest, bytes } = chunk(number, size);
  const found = cache.read(digest);
  if (found < 0) return false;
  assert.deepEqual(cache.buffer.bytes.slice(0, found), bytes);
  return true;
}

function filesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(`${path}/${name}`) : [`${path}/${name}`]
  );
}

Deno.test("ChunkDiskCache gives back what it was given, also to others and later", () => {
  using place = new TempDirectory("chunk-cache");
  const address = { path: place.join("cache"), budgetBytes: 1 << 20 };
  const [first, second] = [ChunkDiskCache.open(address), ChunkDiskCache.open(address)];
  put(first, 1);
  assert.equal(get(second, 1), true);
  assert.equal(second.has(chunk(1).digest), true);
  assert.equal(get(second, 2), false);
  first.close();
  second.close();
  assert.equal(Deno.statSync(address.path).mode! & 0o777, 0o700);
  const later = ChunkDiskCache.open(address);
  assert.equal(get(later, 1), true);
  later.forget(chunk(1).digest);
  assert.equal(get(later, 1), false);
  later.close();
});

Deno.test("ChunkDiskCache keeps to its budget, and what was used last", () => {
  using place = new TempDirectory("chunk-cache");
  const path = place.join("cache");
  const cache = ChunkDiskCache.open({ path, budgetBytes: 100_000 });
  for (let number = 0; number < 400; number++) {
    put(cache, number);
    // Used all the time.
    assert.equal(get(cache, 0), true);
    assert.equal(get(cache, number), true);
  }
  const kept = Array.from({ length: 400 }, (_, number) => number)
    .filter((number) => cache.has(chunk(number).digest));
  assert.equal(kept.length >= 80 && kept.length <= 107, true, String(kept.length));
  assert.equal(kept.slice(1).every((number) => number > 280), true, String(kept));
  cache.close();
  const size = filesIn(path).reduce((sum, file) => sum + Deno.statSync(file).size, 0);
  assert.equal(size <= 107_000, true);
});

Deno.test("ChunkDiskCache removes what was left by somebody who was killed, when it is old", () => {
  using place = new TempDirectory("chunk-cache");
  const address = { path: place.join("cache"), budgetBytes: 100_000 };
  const cache = ChunkDiskCache.open(address);
  put(cache, 1);
  cache.close();
  const [file] = filesIn(address.path);
  const [old, fresh] = [`${file}.tmp_aaaaaa`, `${file}.tmp_bbbbbb`];
  for (const path of [old, fresh]) Deno.writeTextFileSync(path, "half");
  Deno.utimeSync(old, 1, 1);
  const again = ChunkDiskCache.open(address);
  put(again, 2);
  again.close();
  const left = filesIn(address.path);
  assert.deepEqual([left.includes(old), left.includes(fresh)], [false, true]);
});

Deno.test("ChunkDiskCache on a disk that takes nothing is none", () => {
  using place = new TempDirectory("chunk-cache");
  const address = { path: place.join("cache"), budgetBytes: 100_000 };
  const cache = ChunkDiskCache.open(address);
  Deno.removeSync(address.path, { recursive: true });
  put(cache, 1);
  assert.equal(get(cache, 1), false);
  cache.close();
});

/** Reads the whole archive. @returns the calls for chunks */
function readAll(store: RemoteStore, network: FakeNetwork): number {
  network.calls();
  const reader = store.openSnapshot(SNAPSHOT);
  const source = reader.openArchive("root.pxar.didx");
  const buffer = allocateNativeBuffer(source.size);
  source.readAt(buffer, 0, source.size, 0);
  assert.equal(sha256Of(buffer.bytes).toHex(), sha256Of(CONTENT).toHex());
  reader.close();
  return network.calls().filter((call) => call.startsWith("GET /chunk")).length;
}

Deno.test("Chunks of a server come from the disk the second time, and are proved there", () => {
  using place = new TempDirectory("chunk-cache");
  using network = new FakeNetwork();
  const writer = network.open("write").startSnapshot(SNAPSHOT);
  const stream = writer.openDynamic("root.pxar.didx", { kind: "dynamic", averageSize: 4096 });
  stream.write(CONTENT);
  const { chunkCount } = stream.finish();
  writer.finish();
  const cache = { path: place.join("cache"), budgetBytes: 10 << 20 };
  assert.equal(readAll(network.open("read"), network), chunkCount);
  assert.equal(readAll(network.open("read", cache), network), chunkCount);
  assert.equal(readAll(network.open("read", cache), network), 0);
  const files = filesIn(cache.path);
  assert.equal(files.length, chunkCount);
  // Damaged in every way: another byte, another chunk, cut, empty.
  const [flipped, swapped, cut, empty] = files;
  const bytes = Deno.readFileSync(flipped!);
  bytes[bytes.length - 1]! ^= 1;
  Deno.writeFileSync(flipped!, bytes);
  Deno.writeFileSync(swapped!, Deno.readFileSync(files[5]!));
  Deno.truncateSync(cut!, 100);
  Deno.truncateSync(empty!, 0);
  assert.equal(readAll(network.open("read", cache), network), 4);
  assert.equal(readAll(network.open("read", cache), network), 0);
});
