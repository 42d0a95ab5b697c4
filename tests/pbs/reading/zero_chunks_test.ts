import { deepEqual, equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { DynamicIndex, DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { ZeroChunks } from "#src/pbs/reading/zero_chunks.ts";
import { checkHolesAreZeros, dataRanges } from "#tests/support/hole_checks.ts";

const KEY = new Uint8Array(32).fill(7);

function digest(bytes: Uint8Array, key?: Uint8Array): ChunkDigest {
  const hash = createHash("sha256").update(bytes);
  if (key !== undefined) hash.update(key);
  return digestOf(new Uint8Array(hash.digest()));
}

function makeIndex(chunks: readonly Uint8Array[], key?: Uint8Array): DynamicIndex {
  const builder = new DynamicIndexBuilder();
  let end = 0;
  for (const chunk of chunks) builder.add(digest(chunk, key), end += chunk.length);
  return DynamicIndex.parse(builder.finish({ uuid: new Uint8Array(16), ctime: 0 }, sha256Of).bytes);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

const zeros = (size: number) => new Uint8Array(size);
const data = (size: number) => new Uint8Array(size).fill(5);

for (const key of [undefined, KEY]) {
  const what = key === undefined ? "" : " of encrypted chunks";
  Deno.test(`ZeroChunks finds holes${what} where there are chunks of zeros`, () => {
    const kinds = [
      zeros(64 << 10),
      zeros(128 << 10),
      data(64 << 10),
      data(50_000),
      // Too small or of an odd size: not looked at.
      zeros(4096),
      zeros(100_000),
    ];
    fc.assert(
      fc.property(fc.array(fc.nat(kinds.length - 1), { minLength: 1, maxLength: 12 }), (picked) => {
        const chunks = picked.map((kind) => kinds[kind]!);
        const bytes = concat(chunks);
        const found = new ZeroChunks(makeIndex(chunks, key), key);
        const ranges = dataRanges(found, bytes.length);
        checkHolesAreZeros(ranges, bytes);
        const isKnown = (each: Uint8Array) =>
          each[0] === 0 && [1 << 16, 1 << 17].includes(each.length);
        const dataSize = chunks.filter((each) => !isKnown(each))
          .reduce((sum, each) => sum + each.length, 0);
        equal(ranges.reduce((sum, [start, end]) => sum + end - start, 0), dataSize);
        equal(found.countData(0, bytes.length), dataSize);
        const [start, end] = [1000, 70_000].map((each) => Math.min(each, bytes.length));
        const within = ranges.reduce((sum, [from, to]) => {
          return sum + Math.max(0, Math.min(to, end!) - Math.max(from, start!));
        }, 0);
        equal(found.countData(start!, end!), within);
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("ZeroChunks does not know zeros without the key that is in their digests", () => {
  const chunks = [zeros(64 << 10), data(64 << 10)];
  deepEqual(dataRanges(new ZeroChunks(makeIndex(chunks, KEY), undefined), 128 << 10), [
    [0, 128 << 10],
  ]);
});

Deno.test("ZeroChunks finds a chunk of zeros of the largest usual size", () => {
  const largest = zeros(16 << 20);
  const index = makeIndex([data(1000), largest, data(5)]);
  deepEqual(dataRanges(new ZeroChunks(index, undefined), index.size), [
    [0, 1000],
    [1000 + largest.length, index.size],
  ]);
});
