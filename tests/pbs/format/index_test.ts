import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { FormatError, LimitError, UsageError } from "#src/errors.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import { DynamicIndex, DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndex, FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";
import { findManifestFile, parseManifest } from "#src/pbs/format/manifest.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { builtInCodecs } from "#src/codecs/codecs.ts";
import { expectedDatastore, readIndex, snapshotPath } from "#tests/support/pbs_fixtures.ts";

const STAMP = { uuid: Uint8Array.from({ length: 16 }, (_, index) => index), ctime: 1_704_880_800 };
const HEADER_SIZE = 4096;
/** Bytes that nothing protects. */
const UNPROTECTED = { start: 8, end: 32 };

function digestFor(seed: number): ChunkDigest {
  return digestOf(sha256Of(Uint8Array.of(seed, seed >> 8)));
}

function dynamicOf(sizes: readonly number[]): Uint8Array<ArrayBuffer> {
  const builder = new DynamicIndexBuilder();
  for (const [position, size] of sizes.entries()) {
    builder.add(digestFor(position), builder.size + size);
  }
  return builder.finish(STAMP, sha256Of).bytes;
}

function fixedOf(size: number, chunkSize: number): Uint8Array<ArrayBuffer> {
  const builder = new FixedIndexBuilder(size, chunkSize);
  while (builder.count < Math.ceil(size / chunkSize)) builder.add(digestFor(builder.count));
  return builder.finish(STAMP, sha256Of).bytes;
}

function withU64(
  bytes: Uint8Array<ArrayBuffer>,
  offset: number,
  value: bigint,
): Uint8Array<ArrayBuffer> {
  const changed = bytes.slice();
  new DataView(changed.buffer).setBigUint64(offset, value, true);
  return changed;
}

/** Makes the same index again. */
function rebuild(index: ChunkIndex): Uint8Array<ArrayBuffer> {
  if (index instanceof FixedIndex) {
    const builder = new FixedIndexBuilder(index.size, index.chunkSize);
    for (let position = 0; position < index.count; position++) {
      builder.add(index.digestOf(position));
    }
    return builder.finish(index, sha256Of).bytes;
  }
  const builder = new DynamicIndexBuilder();
  for (let position = 0; position < index.count; position++) {
    builder.add(index.digestOf(position), index.endOf(position));
  }
  return builder.finish(index, sha256Of).bytes;
}

Deno.test("DynamicIndex and FixedIndex agree with the golden manifests, and come out as they were", () => {
  let count = 0;
  const codec = new BlobCodec(builtInCodecs());
  for (const snapshot of expectedDatastore().snapshots) {
    const directory = snapshotPath(snapshot);
    const manifest = parseManifest(
      codec.decodeBytes(Deno.readFileSync(join(directory, "index.json.blob"))),
    );
    for (const { name } of Deno.readDirSync(directory)) {
      if (!/idx$/.test(name)) continue;
      const index = readIndex(join(directory, name));
      const { size, csum } = findManifestFile(manifest, name)!;
      equal(index.size, size);
      equal(index.statedChecksum, csum);
      equal(index.computeChecksum(sha256Of), csum);
      deepEqual(rebuild(index), Deno.readFileSync(join(directory, name)));
      count++;
    }
  }
  equal(count, 32);
});

Deno.test("DynamicIndex finds chunks by offset", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 20 }),
      fc.nat({ max: 1200 }),
      (sizes, offset) => {
        const index = DynamicIndex.parse(dynamicOf(sizes));
        equal(index.count, sizes.length);
        let end = 0;
        let expected = 0;
        for (const [position, size] of sizes.entries()) {
          equal(index.startOf(position), end);
          end += size;
          equal(index.endOf(position), end);
          equal(index.digestOf(position), digestFor(position));
          if (end <= offset) expected = position + 1;
        }
        equal(index.size, end);
        equal(index.find(offset), expected);
      },
    ),
    { seed: 1 },
  );
});

Deno.test("FixedIndex finds chunks by offset", () => {
  const index = FixedIndex.parse(fixedOf(100, 32));
  equal(index.count, 4);
  deepEqual([0, 31, 32, 99, 100, 1000].map((offset) => index.find(offset)), [0, 0, 1, 3, 4, 4]);
  deepEqual([0, 1, 2, 3].map((position) => index.endOf(position)), [32, 64, 96, 100]);
  equal(index.startOf(3), 96);
  equal(index.digestOf(2), digestFor(2));
  equal(index.ctime, STAMP.ctime);
  deepEqual(index.uuid, STAMP.uuid);
});

Deno.test("DynamicIndex reads an index of no chunks", () => {
  const index = DynamicIndex.parse(dynamicOf([]));
  deepEqual([index.count, index.size, index.find(0)], [0, 0, 0]);
});

Deno.test("DynamicIndexBuilder keeps offsets above 32 bits, and many chunks", () => {
  const sizes = Array<number>(300).fill(128 << 20);
  const index = DynamicIndex.parse(dynamicOf(sizes));
  equal(index.size, 300 * (128 << 20));
  equal(index.find(index.size - 1), 299);
  const builder = new DynamicIndexBuilder();
  builder.add(digestFor(0), 5);
  for (const end of [5, 4, Number.NaN, 2 ** 53]) {
    throws(() => builder.add(digestFor(1), end), UsageError);
  }
});

Deno.test("FixedIndexBuilder refuses sizes that cannot be, and the wrong number of chunks", () => {
  for (
    const [size, chunkSize] of [[0, 32], [1.5, 32], [2 ** 53, 32], [9, 0], [9, 24], [9, 2 ** 28]]
  ) {
    throws(() => new FixedIndexBuilder(size!, chunkSize!), UsageError);
  }
  throws(() => new FixedIndexBuilder(2 ** 52, 4096), LimitError);
  const builder = new FixedIndexBuilder(9, 8);
  builder.add(digestFor(0));
  throws(() => builder.finish(STAMP, sha256Of), UsageError);
  builder.add(digestFor(1));
  throws(() => builder.add(digestFor(2)), UsageError);
  throws(() => builder.finish({ uuid: new Uint8Array(15), ctime: 0 }, sha256Of), UsageError);
});

/** What a reader that compares with the manifest sees: an index, or nothing. */
function check(
  parse: (bytes: Uint8Array<ArrayBuffer>) => ChunkIndex,
  bytes: Uint8Array<ArrayBuffer>,
  original: ChunkIndex,
): "same" | "refused" {
  let index: ChunkIndex;
  try {
    index = parse(bytes);
  } catch (error) {
    ok(error instanceof FormatError, `${error}`);
    return "refused";
  }
  const checksum = index.computeChecksum(sha256Of);
  return checksum === original.statedChecksum && checksum === index.statedChecksum &&
      index.size === original.size
    ? "same"
    : "refused";
}

for (
  const [name, parse, bytes] of [
    ["DynamicIndex", DynamicIndex.parse, dynamicOf([5, 6, 7])],
    ["FixedIndex", FixedIndex.parse, fixedOf(100, 32)],
    ["FixedIndex of one chunk", FixedIndex.parse, fixedOf(20, 32)],
  ] as const
) {
  Deno.test(`${name}: every flipped bit is noticed, but in uuid and time`, () => {
    const original = parse(bytes);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const offset = bit >> 3;
      const isUnprotected = offset >= UNPROTECTED.start && offset < UNPROTECTED.end;
      equal(check(parse, damaged, original), isUnprotected ? "same" : "refused", `bit ${bit}`);
    }
  });

  Deno.test(`${name}: a file that is cut off or longer is refused`, () => {
    const original = parse(bytes);
    for (let size = 0; size < bytes.length; size += size < HEADER_SIZE ? 512 : 1) {
      equal(check(parse, bytes.slice(0, size), original), "refused", `${size} bytes`);
    }
    for (const more of [1, 8, 32, 40]) {
      equal(check(parse, new Uint8Array([...bytes, ...new Uint8Array(more)]), original), "refused");
    }
  });

  Deno.test(`${name}: damage gives an index or a typed error`, () => {
    const original = parse(bytes);
    const offsets = fc.oneof(
      fc.nat({ max: 100 }),
      fc.integer({ min: 4096, max: bytes.length - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(offsets, fc.nat({ max: 255 })), { maxLength: 12 }),
        (changes) => {
          const damaged = bytes.slice();
          for (const [offset, byte] of changes) damaged[offset] = byte;
          check(parse, damaged, original);
        },
      ),
      { seed: 17, numRuns: 2000 },
    );
  });
}

Deno.test("DynamicIndex refuses offsets that do not grow, or grow too much", () => {
  const bytes = dynamicOf([10, 10]);
  const second = HEADER_SIZE + 40;
  for (const end of [0n, 9n, 10n, 11n + (128n << 20n), 1n << 53n, 1n << 60n, (1n << 64n) - 1n]) {
    throws(() => DynamicIndex.parse(withU64(bytes, second, end)), FormatError, `${end}`);
  }
  equal(DynamicIndex.parse(withU64(bytes, second, 10n + (128n << 20n))).size, 10 + (128 << 20));
});

Deno.test("FixedIndex refuses sizes that do not fit each other", () => {
  const bytes = fixedOf(100, 32);
  for (const size of [0n, 96n, 129n, 1n << 53n, (1n << 64n) - 1n]) {
    throws(() => FixedIndex.parse(withU64(bytes, 64, size)), FormatError, `size ${size}`);
  }
  for (const size of [0n, 16n, 24n, 64n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n]) {
    throws(() => FixedIndex.parse(withU64(bytes, 72, size)), FormatError, `chunk size ${size}`);
  }
});
