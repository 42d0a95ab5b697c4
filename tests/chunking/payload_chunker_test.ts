import assert from "node:assert/strict";
import { PayloadChunker } from "#src/chunking/payload_chunker.ts";
import { UsageError } from "#src/errors.ts";
import { SearchedMemory, streamOf, VECTORS } from "./support/vectors.ts";

const AVERAGE = 64 << 10;
const SIZE_MIN = AVERAGE / 4;

/** Sizes of the chunks of a stream of zeros, which has no boundary by content. */
function zeroChunkSizes(suggestions: readonly number[], length: number, feed = length): number[] {
  const memory = new SearchedMemory(new Uint8Array(length));
  const chunker = new PayloadChunker(memory.scanner, AVERAGE);
  for (const position of suggestions) chunker.suggest(position);
  return memory.chunkSizes(chunker, () => feed);
}

Deno.test("PayloadChunker cuts where the real one does", async (test) => {
  for (const { stream, length, avg, suggestions, feed, chunks } of VECTORS.payload_chunker) {
    await test.step(`${stream}, ${length} bytes, average ${avg}, ${feed} at a time`, () => {
      const memory = new SearchedMemory(streamOf(stream, length));
      const chunker = new PayloadChunker(memory.scanner, avg);
      for (const position of suggestions) chunker.suggest(position);
      assert.deepEqual(memory.chunkSizes(chunker, () => feed), chunks);
    });
  }
});

Deno.test("PayloadChunker takes a suggestion from the smallest to the largest chunk size on", () => {
  const length = 4 * AVERAGE + 10;
  assert.deepEqual(zeroChunkSizes([SIZE_MIN - 1], length), [4 * AVERAGE, 10]);
  assert.deepEqual(zeroChunkSizes([SIZE_MIN], length), [SIZE_MIN, length - SIZE_MIN]);
  assert.deepEqual(zeroChunkSizes([4 * AVERAGE], length), [4 * AVERAGE, 10]);
  assert.deepEqual(zeroChunkSizes([4 * AVERAGE + 1], length), [4 * AVERAGE, 10]);
});

Deno.test("PayloadChunker does not take a suggestion that the search has passed", () => {
  const length = 8 * SIZE_MIN;
  const late = 2 * SIZE_MIN;
  assert.deepEqual(zeroChunkSizes([late], length, late), [late, length - late]);
  const memory = new SearchedMemory(new Uint8Array(length));
  const chunker = new PayloadChunker(memory.scanner, AVERAGE);
  assert.equal(chunker.cut(memory.start, late + 1), 0);
  chunker.suggest(late);
  assert.equal(chunker.cut(memory.start, length), 0);
});

Deno.test("PayloadChunker counts positions on over chunks that were ended from outside", () => {
  const memory = new SearchedMemory(new Uint8Array(8 * SIZE_MIN));
  const chunker = new PayloadChunker(memory.scanner, AVERAGE);
  chunker.suggest(1000 + 2 * SIZE_MIN);
  assert.equal(chunker.cut(memory.start, 300), 0);
  chunker.restart(1000);
  assert.equal(chunker.cut(memory.start, 8 * SIZE_MIN), 2 * SIZE_MIN);
});

Deno.test("PayloadChunker gathers up to the same positions wherever chunks end", () => {
  const memory = new SearchedMemory(new Uint8Array(8 * SIZE_MIN));
  const chunker = new PayloadChunker(memory.scanner, AVERAGE);
  const piece = chunker.gather(0);
  assert.equal(chunker.gather(100), piece - 100);
  assert.equal(chunker.gather(piece), piece);
  chunker.restart(30);
  assert.equal(chunker.gather(0), piece - 30);
});

Deno.test("PayloadChunker keeps up with many suggestions, and refuses those that go back", () => {
  const memory = new SearchedMemory(new Uint8Array(1));
  const chunker = new PayloadChunker(memory.scanner, AVERAGE);
  for (let position = 0; position < 10_000; position++) chunker.suggest(position);
  assert.throws(() => chunker.suggest(9_998), UsageError);
  chunker.restart(9_000);
  assert.equal(chunker.cut(memory.start, 1), 0);
  chunker.suggest(10_000);
});
