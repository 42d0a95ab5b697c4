import { deepEqual, equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32 as builtInCrc32 } from "node:zlib";
import fc from "fast-check";
import { builtInCodecs, nativeCodecs } from "#src/codecs/codecs.ts";
import {
  crc32,
  sha256BuiltIn,
  sha256ByLibrary,
  sha256Of,
  sha256Stream,
} from "#src/codecs/hashing.ts";

const LIBRARY = sha256ByLibrary();
const KEYS = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));

function expectedDigest(...parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

for (
  const [name, sha256, codecs] of [
    ["sha256ByLibrary()", LIBRARY, nativeCodecs()],
    ["sha256BuiltIn()", sha256BuiltIn, builtInCodecs()],
  ] as const
) {
  if (sha256 === undefined) continue;
  Deno.test(`${name} hashes a region, and what follows it`, () => {
    const source = codecs.allocate(70_000);
    for (let index = 0; index < source.bytes.length; index++) source.bytes[index] = index * 31;
    fc.assert(
      fc.property(
        fc.nat({ max: 60_000 }),
        fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 10_000 })),
        fc.option(fc.constantFrom(...KEYS, new Uint8Array(0)), { nil: undefined }),
        (start, size, suffix) => {
          const region = source.bytes.subarray(start, start + size);
          const expected = suffix === undefined
            ? expectedDigest(region)
            : expectedDigest(region, suffix);
          equal(sha256(source, start, size, suffix).toHex(), expected);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  Deno.test(`${name} gives digests of their own`, () => {
    const source = codecs.allocate(10);
    const first = sha256(source, 0, 1);
    const copy = first.slice();
    sha256(source, 0, 2);
    deepEqual(first, copy);
    equal(first.length, 32);
  });
}

Deno.test("sha256Of() and sha256Stream() hash the same", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const stream = sha256Stream();
  stream.update(bytes.subarray(0, 300));
  stream.update(bytes.subarray(300));
  const digest = sha256Of(bytes);
  deepEqual(stream.digest(), digest);
  equal(digest.toHex(), expectedDigest(bytes));
});

Deno.test("crc32() has the check value of the standard, and keeps to its region", () => {
  const bytes = new TextEncoder().encode("xx123456789yy");
  equal(crc32(bytes, 2, 9), 0xcbf43926);
  equal(crc32(bytes, 2, 0), 0);
});

Deno.test("crc32() gives the same as the built-in for any size, and however much it was used", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 2_654_435_761) >>> 13);
  for (let round = 0; round < 8; round++) {
    for (const size of [1, 255, 4_096, 65_537, 99_000]) {
      const region = bytes.subarray(round, round + size);
      equal(crc32(bytes, round, size), builtInCrc32(region));
    }
  }
});
