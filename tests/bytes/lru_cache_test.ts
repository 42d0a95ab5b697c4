import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { LruCache } from "#src/bytes/lru_cache.ts";

Deno.test("LruCache lets the value go that was not used for longest", () => {
  const gone: string[] = [];
  const cache = new LruCache<number, string>(3, (value) => gone.push(value));
  cache.set(1, "a", 1);
  cache.set(2, "b", 1);
  cache.set(3, "c", 1);
  equal(cache.get(1), "a");
  cache.set(4, "d", 1);
  deepEqual(gone, ["b"]);
  equal(cache.get(2), undefined);
  equal(cache.get(1), "a");
  cache.clear();
  deepEqual(gone.toSorted(), ["a", "b", "c", "d"]);
  equal(cache.get(1), undefined);
  equal(cache.weight, 0);
});

Deno.test("LruCache keeps the value stored last even when it alone is too heavy", () => {
  const cache = new LruCache<number, string>(10);
  cache.set(1, "a", 5);
  cache.set(2, "b", 50);
  equal(cache.get(1), undefined);
  equal(cache.get(2), "b");
  equal(cache.count, 1);
  equal(cache.weight, 50);
});

Deno.test("LruCache behaves like a list ordered by use", () => {
  const step = fc.record({ key: fc.nat(12), weight: fc.integer({ min: 1, max: 5 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const cache = new LruCache<number, number>(12);
    let model: { key: number; weight: number }[] = [];
    for (const { key, weight } of steps) {
      const known = model.find((each) => each.key === key);
      equal(cache.get(key), known === undefined ? undefined : key);
      model = model.filter((each) => each !== known);
      if (known === undefined) {
        cache.set(key, key, weight);
        model.push({ key, weight });
        const total = () => model.reduce((sum, each) => sum + each.weight, 0);
        while (total() > 12 && model.length > 1) model.shift();
        equal(cache.weight, total());
      } else {
        model.push(known);
      }
      equal(cache.count, model.length);
    }
  }));
});
