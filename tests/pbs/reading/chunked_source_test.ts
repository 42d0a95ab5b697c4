import assert from "node:assert/strict";
import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { IntegrityError, UsageError } from "#src/errors.ts";
import { ChunkCache } from "#src/pbs/reading/chunk_cache.ts";
import { ChunkedSource } from "#src/pbs/reading/chunked_source.ts";
import { DynamicIndex, DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import type { ChunkSource } from "#src/pbs/ports.ts";
import { Random } from "#tests/support/property_random.ts";

/** A stream in chunks of random sizes, and what was asked of its store. */
function makeStream(random: Random, size: number, chunkSizeMax: number) {
  const bytes = random.bytes(size);
  const builder = new DynamicIndexBuilder();
  const chunks = new Map<ChunkDigest, Uint8Array>();
  for (let start = 0; start < size;) {
    const end = Math.min(size, start + random.between(1, chunkSizeMax));
    const digest = digestOf(sha256Of(bytes.subarray(start, end)));
    chunks.set(digest, bytes.subarray(start, end));
    builder.add(digest, end);
    start = end;
  }
  const stamp = { uuid: new Uint8Array(16), ctime: 0 };
  const index = DynamicIndex.parse(builder.finish(stamp, sha256Of).bytes);
  const loaded: ChunkDigest[] = [];
  const source: ChunkSource = {
    load(digest, chunkSize, target, start) {
      loaded.push(digest);
      const chunk = chunks.get(digest)!;
      assert.equal(chunk.length, chunkSize);
      target.bytes.set(chunk, start);
    },
    has: (digest) => chunks.has(digest),
  };
  return { bytes, index, source, loaded };
}

Deno.test("ChunkedSource reads what the stream has, wherever and however much", () => {
  for (let seed = 0; seed < 12; seed++) {
    const random = new Random(seed);
    const { bytes, index, source } = makeStream(random, random.between(1, 60_000), 3000);
    const cache = new ChunkCache(source, plainBuffer, 10_000);
    const stream = new ChunkedSource({ index, cache });
    assert.equal(stream.size, bytes.length);
    const target = plainBuffer(20_000);
    for (let round = 0; round < 100; round++) {
      const offset = random.between(0, bytes.length + 10);
      const size = random.between(0, 9000);
      const start = random.between(0, 10_000);
      target.bytes.fill(0);
      const count = stream.readAt(target, start, size, offset);
      const expected = bytes.subarray(offset, offset + size);
      assert.equal(count, expected.length);
      assert.deepEqual(target.bytes.subarray(start, start + count), expected);
      assert.ok(target.bytes.subarray(start + count).every((byte) => byte === 0));
      assert.ok(cache.sizeBytes <= 10_000);
    }
    assert.throws(() => stream.readAt(target, 19_999, 2, 0), UsageError);
    assert.throws(() => stream.readAt(target, 0, 2, -1), UsageError);
    stream.close();
  }
});

Deno.test("ChunkedSource loads each chunk once when it is read in order, and says what comes next", () => {
  const { bytes, index, source, loaded } = makeStream(new Random(5), 100_000, 9000);
  const expected: ChunkDigest[] = [];
  const cache = new ChunkCache(source, plainBuffer, 20_000);
  const stream = new ChunkedSource({
    index,
    cache,
    expect: (digest) => expected.push(digest),
  });
  const target = plainBuffer(700);
  for (let offset = 0; offset < bytes.length; offset += 700) stream.readAt(target, 0, 700, offset);
  const digests = Array.from({ length: index.count }, (_, position) => index.digestOf(position));
  assert.deepEqual(loaded, digests);
  assert.deepEqual(expected, digests.slice(2));
});

Deno.test("ChunkedSource keeps chunks that are read again, within the budget", () => {
  const { index, source, loaded } = makeStream(new Random(6), 100_000, 2000);
  const cache = new ChunkCache(source, plainBuffer, 10_000);
  const stream = new ChunkedSource({ index, cache });
  const target = plainBuffer(10);
  for (let round = 0; round < 100; round++) {
    stream.readAt(target, 0, 10, 100);
    stream.readAt(target, 0, 10, 99_000);
  }
  assert.ok(loaded.length <= 4);
});

Deno.test("ChunkedSource is as good as before after a chunk could not be loaded", () => {
  const { bytes, index, source } = makeStream(new Random(7), 50_000, 9000);
  let isBroken = false;
  const chunks: ChunkSource = {
    load(...parameters) {
      if (isBroken) throw new IntegrityError("broken");
      source.load(...parameters);
    },
    has: (digest) => source.has(digest),
  };
  const cache = new ChunkCache(chunks, plainBuffer, 1);
  const stream = new ChunkedSource({ index, cache });
  const target = plainBuffer(100);
  for (let offset = 0; offset < 49_000; offset += 9999) {
    isBroken = true;
    assert.throws(() => stream.readAt(target, 0, 100, offset), IntegrityError);
    isBroken = false;
    stream.readAt(target, 0, 100, offset);
    assert.deepEqual(target.bytes, bytes.subarray(offset, offset + 100));
  }
});
