import assert from "node:assert/strict";
import { BUZHASH_TABLE } from "#src/chunking/buzhash_table.ts";

Deno.test("BUZHASH_TABLE has the sums of the specification", () => {
  assert.equal(BUZHASH_TABLE.length, 256);
  assert.equal(BUZHASH_TABLE.reduce((sum, value) => sum ^ value, 0), 0);
  assert.equal(BUZHASH_TABLE.reduce((sum, value) => (sum + value) >>> 0, 0), 0xffffff80);
});
