import assert from "node:assert/strict";
import { shuffledBlocks } from "../../scripts/bench/reader.ts";
import { meetsTarget } from "../../scripts/bench/report.ts";

Deno.test("shuffledBlocks() has every block once, in the same order each time", () => {
  const blocks = shuffledBlocks(1000);
  assert.deepEqual(blocks, shuffledBlocks(1000));
  assert.deepEqual([...blocks].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
  assert.notDeepEqual([...blocks.slice(0, 3)], [0, 1, 2]);
});

Deno.test("meetsTarget() compares the ratio where there is a plain figure, else the value", () => {
  const figure = { name: "x", unit: "s" };
  assert.equal(meetsTarget({ ...figure, mount: 8, plain: 10, target: ">= 0.8" }), true);
  assert.equal(meetsTarget({ ...figure, mount: 7, plain: 10, target: ">= 0.8" }), false);
  assert.equal(meetsTarget({ ...figure, mount: 0.2, target: "<= 0.3" }), true);
  assert.equal(meetsTarget({ ...figure, mount: 0.2 }), undefined);
});
