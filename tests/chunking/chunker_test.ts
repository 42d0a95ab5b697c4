import assert from "node:assert/strict";
import fc from "fast-check";
import { Chunker } from "#src/chunking/chunker.ts";
import { UsageError } from "#src/errors.ts";
import { naiveChunkSizes } from "./support/naive_chunker.ts";
import { patchedBytes } from "./support/random_bytes.ts";
import { SearchedMemory, streamOf, VECTORS } from "./support/vectors.ts";

Deno.test("Chunker cuts where the real one does", async (test) => {
  for (const { stream, length, avg, chunks } of VECTORS.chunker) {
    await test.step(`${stream}, ${length} bytes, average ${avg}`, () => {
      const memory = new SearchedMemory(streamOf(stream, length));
      for (const piece of [length, 1 << 20, 65_537]) {
        const chunker = new Chunker(memory.scanner, avg);
        assert.deepEqual(memory.chunkSizes(chunker, () => piece), chunks);
      }
    });
  }
});

Deno.test("Chunker cuts any bytes, in any pieces, as its byte by byte description does", () => {
  fc.assert(
    fc.property(
      patchedBytes(60_000),
      fc.constantFrom(256, 512, 1024, 4096, 16384),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
      (bytes, averageSize, pieces) => {
        const memory = new SearchedMemory(bytes);
        const chunker = new Chunker(memory.scanner, averageSize);
        let index = 0;
        const sizes = memory.chunkSizes(chunker, () => pieces[index++ % pieces.length]!);
        assert.deepEqual(sizes, naiveChunkSizes(bytes, averageSize));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("Chunker cuts as its description does for every start in the search's rounds", () => {
  for (let length = 4000; length < 4020; length++) {
    const bytes = streamOf("sha", 1 << 20).subarray(length, 2 * length);
    const memory = new SearchedMemory(bytes);
    const sizes = memory.chunkSizes(new Chunker(memory.scanner, 256), () => length);
    assert.deepEqual(sizes, naiveChunkSizes(bytes, 256));
  }
});

Deno.test("Chunker starts anew after a chunk that was ended from outside", () => {
  const bytes = streamOf("sha", 1 << 20);
  const memory = new SearchedMemory(bytes);
  const chunker = new Chunker(memory.scanner, 65536);
  assert.equal(chunker.cut(memory.start, 50_000), 0);
  chunker.restart();
  const [first] = naiveChunkSizes(bytes.subarray(50_000), 65536);
  assert.equal(chunker.cut(memory.start + 50_000, bytes.length - 50_000), first);
});

Deno.test("Chunker refuses averages that are no power of two, too small or too large", () => {
  const { scanner } = new SearchedMemory(new Uint8Array(1));
  for (const size of [0, 1, 128, 257, 3 * 4096, 4096.5, -4096, 2 ** 29, Infinity, NaN]) {
    assert.throws(() => new Chunker(scanner, size), UsageError);
  }
  const chunker = new Chunker(scanner, 4 << 20);
  assert.deepEqual([chunker.chunkSizeMin, chunker.chunkSizeMax], [1 << 20, 16 << 20]);
});

Deno.test("Chunker is not called for less than a smallest chunk", () => {
  const { scanner } = new SearchedMemory(new Uint8Array(1));
  const chunker = new Chunker(scanner, 4 << 20);
  assert.ok(chunker.gather(0) >= 1 << 20);
  assert.ok(chunker.gather(12 << 20) > 0);
});
