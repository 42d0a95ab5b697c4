import { deepEqual, equal, ok } from "node:assert/strict";
import * as fc from "fast-check";
import { PageCounters } from "#src/pgprobackup/page_counters.ts";
import { createIndexMemory, PageIndexCache } from "#src/pgprobackup/page_index_cache.ts";

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

/** Threads that share one memory. */
function makeCaches(budgetBytes: number, fileMax: number, count: number) {
  const memory = createIndexMemory(budgetBytes, fileMax);
  return Array.from({ length: count }, () => {
    const counters = new PageCounters();
    return { counters, cache: new PageIndexCache(memory, fileMax, counters) };
  });
}

/** Undefined when the file's index is not there. */
function read(cache: PageIndexCache, file: number, blockCount: number, from = 0) {
  const target = new Uint32Array(2 * (blockCount - from));
  return cache.get(file, blockCount, from, blockCount, target) ? [...target] : undefined;
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
      const [mine, other] = makeCaches(1 << 16, 1, 2);
      mine!.cache.set(1, index, lengths.length);
      const from = start % lengths.length;
      deepEqual(read(other!.cache, 1, lengths.length, from), [...index.subarray(2 * from)]);
    },
  ));
});

Deno.test("PageIndexCache takes 2 bytes a block and 4 for each 32 where one layer has all, else 8", () => {
  const { cache, counters } = makeCaches(1 << 20, 2, 1)[0]!;
  const lengths = new Array(786).fill(100);
  cache.set(1, packedIndex(0, lengths), 786);
  equal(counters.read().indexBytes, 12 + 4 * 25 + 2 * 786);
  const mixed = packedIndex(0, lengths);
  mixed[1] = (1 << 14) | 100;
  cache.set(2, mixed, 786);
  equal(counters.read().indexBytes, 12 + 4 * 25 + 2 * 786 + 12 + 8 * 786);
});

Deno.test("PageIndexCache stays within its budget and never gives back another file's index", () => {
  const step = fc.record({
    file: fc.integer({ min: 1, max: FILE_MAX }),
    lengths: LENGTHS,
    isPlain: fc.boolean(),
    thread: fc.nat(1),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const budget = 2000;
    const threads = makeCaches(budget, FILE_MAX, 2);
    const sum = (name: "indexFiles" | "indexBytes") =>
      threads.reduce((total, { counters }) => total + counters.read()[name], 0);
    const stored = new Map<number, Uint32Array>();
    for (const { file, lengths, isPlain, thread } of steps) {
      const { cache } = threads[thread]!;
      const known = stored.get(file);
      if (known === undefined || read(cache, file, known.length / 2) === undefined) {
        const index = packedIndex(1, lengths);
        if (isPlain) index.set([9, (2 << 14) | 3]);
        cache.set(file, index, lengths.length);
        stored.set(file, index);
        deepEqual(read(cache, file, lengths.length), [...index]);
      }
      ok(sum("indexBytes") <= budget);
      let count = 0;
      for (const [known, index] of stored) {
        const found = read(threads[1 - thread]!.cache, known, index.length / 2);
        if (found === undefined) continue;
        count += 1;
        deepEqual(found, [...index]);
      }
      equal(sum("indexFiles"), count);
    }
  }));
});

Deno.test("PageIndexCache keeps what was stored first, and nothing that is larger than its budget", () => {
  const { cache, counters } = makeCaches(64, 2, 1)[0]!;
  const small = packedIndex(0, [1, 2, 3]);
  cache.set(1, small, 3);
  cache.set(1, packedIndex(0, [4, 5, 6]), 3);
  cache.set(2, packedIndex(0, new Array(1000).fill(8192)), 1000);
  deepEqual(read(cache, 1, 3), [...small]);
  equal(read(cache, 2, 1000), undefined);
  equal(counters.read().indexFiles, 1);
});
