/**
 * The overlay against a model: random changes over random lower trees, remounted in between, must
 * leave what a plain map of byte arrays holds.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { apply, buildLower, compare, lowerFile, Model, removeAll, step } from "./_overlay_model.ts";
import { UncertainGate } from "./_uncertain_source.ts";
import { OverlayHarness } from "./harness.ts";

/** @param makeGate makes what refuses and ends waits, by a number; undefined: nothing does */
function run(seed: number, runs: number, makeGate?: (seed: number) => UncertainGate): void {
  fc.assert(
    fc.property(
      fc.array(lowerFile, { maxLength: 6 }),
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      fc.integer(),
      (files, steps, materializeOnRead, isEmptied, gateSeed) => {
        const model = new Model();
        const lower = buildLower(files, model);
        const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-model-" });
        try {
          const gate = makeGate?.(gateSeed);
          const harness = new OverlayHarness(lower, diffPath, {
            materializeOnRead,
            gate,
          });
          for (const [index, step] of steps.entries()) {
            try {
              apply(step, harness, model);
            } catch (error) {
              throw new Error(`step ${index} ${JSON.stringify(step)}`, { cause: error });
            }
          }
          compare(harness, model);
          assert.equal(harness.statistics.handlesOpen, 0);
          assert.deepEqual([...Deno.readDirSync(`${diffPath}/tmp`)], []);
          // Some stay known for their inode numbers, as long as there are such files.
          const nodesMax = model.files.size + model.directories.size + 1;
          assert.ok(harness.statistics.nodes <= nodesMax, "what is gone is forgotten");
          if (isEmptied) {
            removeAll(harness, model);
            assert.equal(harness.statistics.nodes, 1, "all nodes but the root are forgotten");
          }
          harness.remount();
          compare(harness, model);
          harness.unmount();
        } finally {
          Deno.removeSync(diffPath, { recursive: true });
        }
      },
    ),
    { seed, numRuns: runs, endOnFailure: false },
  );
}

Deno.test("Overlay equals a model under random changes and remounts", () => {
  run(20261121, Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 300));
});

Deno.test("Overlay equals a model when waits for the lower tree are refused or ended, and requests done again", () => {
  let setbacks = 0;
  const gates: UncertainGate[] = [];
  run(20261129, Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 200), (seed) => {
    const gate = new UncertainGate(random(seed));
    gates.push(gate);
    return gate;
  });
  for (const gate of gates) setbacks += gate.setbacks;
  assert.ok(setbacks > gates.length, `${setbacks} setbacks in ${gates.length} runs`);
});

/** Numbers from 0 to 1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
