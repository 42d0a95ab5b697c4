import { deepEqual, equal, ok } from "node:assert/strict";
import * as fc from "fast-check";
import { PageIndexCache } from "#src/pgprobackup/page_index_cache.ts";

const FILE_MAX = 12;

/**
 * An index whose records follow one another in one layer, but for blocks of length 0 that have
 * none.
 */
function packedIndex(layer: number, lengths: readonly number[]): Uint32Array {
  const index = new Uint32Array(2 * lengths.length);
  let position = 0;
  lengths.forEach((length, block) => {
    if (length === 0) return;
    index[2 * block] = position;
    index[2 * block + 1] = (layer << 14) | length;
    position += 8 + length;
  });
  return index;
}

function read(cache: PageIndexCache, file: number, blockCount: number, from = 0): number[] {
  const target = new Uint32Array(2 * (blockCount - from));
  cache.get(file, blockCount, from, blockCount, target);
  return [...target];
}

const LENGTHS = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8192 })), {
  minLength: 1,
  maxLength: 100,
});

Deno.test("PageIndexCache gives back from any block on what was stored, packed or not", () => {
  fc.assert(fc.property(
    LENGTHS,
    fc.nat(3),
    fc.option(fc.nat(), { nil: undefined }),
    fc.nat(),
    (lengths, layer, changed, start) => {
      const index = packedIndex(layer, lengths);
      // One block from elsewhere: the index cannot be packed any more.
      if (changed !== undefined) {
        const block = changed % lengths.length;
        index[2 * block] = 77;
        index[2 * block + 1] = ((layer + 1) << 14) | 5;
      }
      const cache = new PageIndexCache(1 << 16, 1);
      cache.set(1, index, lengths.length);
      const from = start % lengths.length;
      deepEqual(read(cache, 1, lengths.length, from), [...index.subarray(2 * from)]);
    },
  ));
});

Deno.test("PageIndexCache takes 2 bytes a block and 4 for each 32 where one layer has all, else 8", () => {
  const cache = new PageIndexCache(1 << 20, 2);
  const lengths = new Array(786).fill(100);
  cache.set(1, packedIndex(0, lengths), 786);
  equal(cache.bytes, 12 + 4 * 25 + 2 * 786);
  const mixed = packedIndex(0, lengths);
  mixed[1] = (1 << 14) | 100;
  cache.set(2, mixed, 786);
  equal(cache.bytes, 12 + 4 * 25 + 2 * 786 + 12 + 8 * 786);
});

Deno.test("PageIndexCache stays within its budget and never gives back another file's index", () => {
  const step = fc.record({
    file: fc.integer({ min: 1, max: FILE_MAX }),
    lengths: LENGTHS,
    isPlain: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const budget = 2000;
    const cache = new PageIndexCache(budget, FILE_MAX);
    const stored = new Map<number, Uint32Array>();
    for (const { file, lengths, isPlain } of steps) {
      if (!cache.has(file)) {
        const index = packedIndex(1, lengths);
        if (isPlain) index.set([9, (2 << 14) | 3]);
        cache.set(file, index, lengths.length);
        stored.set(file, index);
      }
      ok(cache.has(file));
      ok(cache.bytes <= budget);
      let count = 0;
      for (const [known, index] of stored) {
        if (!cache.has(known)) continue;
        count += 1;
        deepEqual(read(cache, known, index.length / 2), [...index]);
      }
      equal(cache.count, count);
    }
    cache.clear();
    equal(cache.count, 0);
    equal(cache.bytes, 0);
  }));
});

Deno.test("PageIndexCache keeps one index that is larger than its budget", () => {
  const cache = new PageIndexCache(64, 2);
  const index = packedIndex(0, new Array(1000).fill(8192));
  cache.set(1, index, 1000);
  deepEqual(read(cache, 1, 1000), [...index]);
  cache.set(2, index, 1000);
  equal(cache.has(1), false);
  deepEqual(read(cache, 2, 1000), [...index]);
});
