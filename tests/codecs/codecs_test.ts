import { deepEqual, equal, ok } from "node:assert/strict";
import { deflateSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { builtInCodecs, type Decompress, nativeCodecs } from "#src/codecs/codecs.ts";
import { lz4BuiltIn, lz4ByLibrary } from "#src/codecs/lz4.ts";
import { zlibBuiltIn, zlibByLibdeflate, zlibByLibz } from "#src/codecs/zlib.ts";
import { zstdBuiltIn, zstdByLibrary } from "#src/codecs/zstd.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { compressLz4Literally } from "#tests/pgprobackup/_compressors.ts";

interface Case {
  readonly name: string;
  readonly decompress: Decompress | undefined;
  readonly compress: (bytes: Uint8Array) => Uint8Array;
  /** Whether every changed bit must be noticed by the algorithm itself. */
  readonly hasChecksum: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "zlib by libdeflate",
    decompress: zlibByLibdeflate(),
    compress: deflateSync,
    hasChecksum: true,
  },
  { name: "zlib by libz", decompress: zlibByLibz(), compress: deflateSync, hasChecksum: true },
  { name: "zlib built in", decompress: zlibBuiltIn, compress: deflateSync, hasChecksum: true },
  {
    name: "lz4 by liblz4",
    decompress: lz4ByLibrary(),
    compress: compressLz4Literally,
    hasChecksum: false,
  },
  {
    name: "lz4 built in",
    decompress: lz4BuiltIn,
    compress: compressLz4Literally,
    hasChecksum: false,
  },
  {
    name: "zstd by libzstd",
    decompress: zstdByLibrary(),
    compress: zstdCompressSync,
    hasChecksum: false,
  },
  {
    name: "zstd built in",
    decompress: zstdBuiltIn,
    compress: zstdCompressSync,
    hasChecksum: false,
  },
];

const SIZE = 1000;
const SAMPLE = Uint8Array.from(
  { length: SIZE },
  (_, index) => index % 100 < 60 ? 5 : (index * 7) & 0xff,
);

/** Expands into the middle of a buffer and checks that nothing around it changes. */
function run(decompress: Decompress, input: Uint8Array, size: number): Uint8Array | number {
  const source = allocateNativeBuffer(input.length + 14);
  source.bytes.set(input, 7);
  const target = allocateNativeBuffer(size + 128);
  target.bytes.fill(0xaa);
  const count = decompress(source, 7, input.length, target, 64, size);
  ok(target.bytes.subarray(0, 64).every((byte) => byte === 0xaa), "bytes before the target");
  ok(target.bytes.subarray(64 + size).every((byte) => byte === 0xaa), "bytes behind the target");
  return count < 0 ? count : target.bytes.slice(64, 64 + count);
}

for (const { name, decompress, compress, hasChecksum } of CASES) {
  Deno.test({
    name: `Decompress expands into the middle of a buffer: ${name}`,
    ignore: decompress === undefined,
    fn: () => deepEqual(run(decompress!, compress(SAMPLE), SIZE), SAMPLE),
  });

  Deno.test({
    name: `Decompress gives the input back for any bytes: ${name}`,
    ignore: decompress === undefined,
    fn: () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), (bytes) => {
          deepEqual(run(decompress!, compress(bytes), bytes.length), bytes);
        }),
        { numRuns: 50 },
      );
    },
  });

  Deno.test({
    name: `Decompress never gives all bytes of a cut-off input: ${name}`,
    ignore: decompress === undefined,
    fn: () => {
      const input = compress(SAMPLE);
      for (let length = 0; length < input.length - 1; length++) {
        const result = run(decompress!, input.subarray(0, length), SIZE);
        // An LZ4 block that ends after some literals is a shorter block.
        ok(typeof result === "number" || result.length < SIZE, `${length} bytes`);
      }
    },
  });

  Deno.test({
    name: `Decompress survives every flipped bit: ${name}`,
    ignore: decompress === undefined,
    fn: () => {
      const input = compress(SAMPLE);
      for (let bit = 0; bit < input.length * 8; bit++) {
        const damaged = Uint8Array.from(input);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        const result = run(decompress!, damaged, SIZE);
        // Some bits do not matter: window size, lengths of codes that are not used.
        if (hasChecksum && typeof result !== "number") deepEqual(result, SAMPLE, `bit ${bit}`);
      }
    },
  });

  Deno.test({
    name: `Decompress refuses an input that expands to more: ${name}`,
    ignore: decompress === undefined,
    fn: () => {
      equal(typeof run(decompress!, compress(SAMPLE), SIZE - 1), "number");
      equal(typeof run(decompress!, compress(SAMPLE), 0), "number");
    },
  });
}

Deno.test("builtInCodecs() and nativeCodecs() agree on damaged zlib streams", () => {
  const native = nativeCodecs();
  const builtIn = builtInCodecs();
  const input = deflateSync(SAMPLE);
  const source = native.allocate(input.length);
  const [a, b] = [native.allocate(SIZE), plainBuffer(SIZE)];
  for (let bit = 0; bit < input.length * 8; bit++) {
    source.bytes.set(input);
    source.bytes[bit >> 3]! ^= 1 << (bit & 7);
    const nativeCount = native.zlib(source, 0, input.length, a, 0, SIZE);
    const builtInCount = builtIn.zlib(source, 0, input.length, b, 0, SIZE);
    equal(nativeCount === SIZE, builtInCount === SIZE, `bit ${bit}`);
  }
});
