import assert from "node:assert/strict";
import { FixedChunker } from "#src/chunking/fixed_chunker.ts";
import { UsageError } from "#src/errors.ts";
import { SearchedMemory } from "./support/vectors.ts";

Deno.test("FixedChunker cuts every chunk to the same size, the last one to what is left", () => {
  for (
    const [length, sizes] of [[0, []], [9, [9]], [10, [10]], [25, [10, 10, 5]]] as const
  ) {
    const memory = new SearchedMemory(new Uint8Array(length));
    for (const piece of [1, 7, 10, 25]) {
      assert.deepEqual(memory.chunkSizes(new FixedChunker(10), () => piece), sizes);
    }
  }
});

Deno.test("FixedChunker gathers exactly one chunk", () => {
  const chunker = new FixedChunker(4096);
  assert.equal(chunker.gather(0), 4096);
  assert.equal(chunker.gather(4000), 96);
});

Deno.test("FixedChunker refuses sizes that are no size", () => {
  for (const size of [0, -1, 1.5, 2 ** 31, NaN]) {
    assert.throws(() => new FixedChunker(size), UsageError);
  }
});
