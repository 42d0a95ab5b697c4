import assert from "node:assert/strict";
import { Comparison } from "../../scripts/bench/compare/report.ts";
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

Deno.test("a comparison judges the median of the rounds by its ratio to the plain side", () => {
  const comparison = new Comparison();
  for (const seconds of [9, 1, 2]) comparison.add("plain", { catSeconds: seconds });
  for (const seconds of [3, 50, 4]) comparison.add("now", { catSeconds: seconds });
  for (const seconds of [8, 8, 1]) comparison.add("before", { catSeconds: seconds });
  comparison.add("now", { idleMebibytes: 70 });
  const { figures } = JSON.parse(comparison.json()) as {
    figures: { plain?: number; before?: number; now: number; met: boolean }[];
  };
  const brief = figures.map(({ plain, before, now, met }) => [plain, before, now, met]);
  assert.deepEqual(brief, [[2, 8, 4, true], [undefined, undefined, 70, false]]);
});
