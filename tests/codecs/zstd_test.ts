import { deepEqual, equal, ok } from "node:assert/strict";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { builtInCodecs, nativeCodecs } from "#src/codecs/codecs.ts";
import { compressZstdBuiltIn, compressZstdByLibrary } from "#src/codecs/zstd.ts";
import { zstdContentSizeMax } from "#src/codecs/zstd_frame.ts";

/** Room for the whole frame: see `zstd_compress.ts`. */
const frameOf = (bytes: Uint8Array) =>
  new Uint8Array(zstdCompressSync(bytes, { chunkSize: bytes.length + 1024 }));

for (
  const [name, compress, codecs] of [
    ["compressZstdByLibrary()", compressZstdByLibrary(), nativeCodecs()],
    ["compressZstdBuiltIn", compressZstdBuiltIn, builtInCodecs()],
  ] as const
) {
  if (compress === undefined) continue;
  Deno.test(`${name} makes one frame that states its size and fits its region`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 50 }),
        fc.nat({ max: 3000 }),
        fc.nat({ max: 9 }),
        (piece, repeats, start) => {
          const size = piece.length * repeats;
          const [source, target] = [codecs.allocate(start + size), codecs.allocate(size + 100)];
          for (let index = 0; index < repeats; index++) {
            source.bytes.set(piece, start + index * piece.length);
          }
          const count = compress(source, start, size, target, 5, size + 64);
          ok(count > 0);
          equal(zstdContentSizeMax(target.bytes, 5, count), size);
          const plain = zstdDecompressSync(target.bytes.subarray(5, 5 + count));
          deepEqual(new Uint8Array(plain), source.bytes.slice(start));
          ok(target.bytes.subarray(5 + count, 5 + size).every((byte) => byte === 0));
          // One byte less than it takes is too little.
          target.bytes.fill(0);
          ok(compress(source, start, size, target, 5, count - 1) < 0);
          ok(target.bytes.subarray(5 + count - 1).every((byte) => byte === 0));
        },
      ),
      { seed: 1, numRuns: 100 },
    );
  });

  Deno.test(`${name} makes nothing but one frame of data that hardly shrinks`, () => {
    for (let size = 1000; size < 300_000; size += size >> 2) {
      const [source, target] = [codecs.allocate(size), codecs.allocate(size)];
      for (let index = 0; index < size; index++) source.bytes[index] = noise(index) & 0x3f;
      const count: number = compress(source, 0, size, target, 0, size);
      ok(count > size / 2, `${count} of ${size} bytes`);
      equal(zstdContentSizeMax(target.bytes, 0, count), size);
    }
  });
}

/** A number that is hard to foretell from the ones before. */
function noise(index: number): number {
  const mixed = Math.imul(index ^ (index >>> 7), 0x9e37_79b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b) >>> 16;
}

Deno.test("zstdContentSizeMax() bounds frames that do not state their size by their blocks", () => {
  const frame = frameOf(new Uint8Array(1_000_000));
  const max = zstdContentSizeMax(frame, 0, frame.length)!;
  ok(max >= 1_000_000 && max <= 1_000_000 + (128 << 10), `${max}`);
  const random = crypto.getRandomValues(new Uint8Array(60_000));
  const stored = frameOf(random);
  equal(zstdContentSizeMax(stored, 0, stored.length), 60_000);
});

Deno.test("zstdContentSizeMax() takes nothing but one whole frame", () => {
  const frame = frameOf(Uint8Array.from({ length: 3000 }, (_, index) => index % 251));
  for (let size = 0; size < frame.length; size++) {
    equal(zstdContentSizeMax(frame, 0, size), undefined, `${size} bytes`);
  }
  equal(zstdContentSizeMax(new Uint8Array([...frame, 0]), 0, frame.length + 1), undefined);
  const skippable = Uint8Array.fromHex("502a4d1800000000");
  equal(zstdContentSizeMax(skippable, 0, skippable.length), undefined);
  // A block of the reserved type, and one that is larger than blocks may be.
  const reserved = Uint8Array.fromHex("28b52ffd2000070000");
  equal(zstdContentSizeMax(reserved, 0, reserved.length), undefined);
  const large = Uint8Array.fromHex("28b52ffd20000b001041");
  equal(zstdContentSizeMax(large, 0, large.length), undefined);
});

Deno.test("zstdContentSizeMax() reads nothing outside of its region", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const region = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, ...bytes]);
      const size = zstdContentSizeMax(region, 0, region.length);
      ok(size === undefined || size >= 0);
    }),
    { seed: 1, numRuns: 5000 },
  );
});
