import assert from "node:assert/strict";
import { addAndWake, type SharedCells, storeAndWake, waitWhile } from "#src/threads/waiting.ts";

const FOREVER_MS = 60_000;

function makeCells(): SharedCells {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("waitWhile() returns at once when the cell has another value", () => {
  const cells = makeCells();
  storeAndWake(cells, 0, 5);
  assert.equal(waitWhile(cells, 0, 4), true);
  assert.equal(addAndWake(cells, 0, -1), 5);
  assert.equal(waitWhile(cells, 0, 5, FOREVER_MS), true);
  assert.equal(waitWhile(cells, 0, 5, 0), true);
  assert.equal(waitWhile(cells, 0, 4, 0), false);
});

Deno.test("waitWhile() gives up when the time is over, and not before", () => {
  const start = performance.now();
  assert.equal(waitWhile(makeCells(), 0, 0, 600), false);
  assert.ok(performance.now() - start >= 590);
});

Deno.test("waitWhile() ends when the caller shall stop, with what that throws", () => {
  let askedCount = 0;
  const stop = new Error("stop");
  for (const timeoutMs of [FOREVER_MS, undefined]) {
    assert.throws(
      () =>
        waitWhile(makeCells(), 0, 0, timeoutMs, () => {
          if (++askedCount % 2 === 0) throw stop;
        }),
      stop,
    );
  }
  assert.equal(askedCount, 4);
});
