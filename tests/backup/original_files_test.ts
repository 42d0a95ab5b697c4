import assert from "node:assert/strict";
import { OriginalFiles } from "#src/backup/reuse/original_files.ts";
import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { FormerContent, NewFile } from "#src/pxar/new_entry.ts";

const ORIGIN = {};
const OFFSET = 5000;

function find(file: Partial<NewFile>): number {
  return new OriginalFiles(ORIGIN).find("name", { size: 100, ...file } as NewFile);
}

function former(size: number, ...ranges: readonly (readonly [number, number])[]): FormerContent {
  return {
    origin: ORIGIN,
    payload: { offset: OFFSET, size },
    ranges: () => ranges.map(([offset, size]) => ({ offset, size })),
  };
}

Deno.test("OriginalFiles finds what is as it was, by itself or in other things than its content", () => {
  const there = OFFSET - HEADER_SIZE;
  const payload = { offset: OFFSET, size: 100 };
  assert.equal(find({ origin: ORIGIN, payload }), there);
  assert.equal(find({ origin: {}, payload }), -1);
  assert.equal(find({ origin: ORIGIN, payload: { offset: OFFSET, size: 99 } }), -1);
  assert.equal(find({ origin: {}, former: former(100, [0, 100]) }), there);
  assert.equal(find({ origin: {}, former: former(100, [0, 60], [60, 40]) }), there);
  assert.equal(find({ origin: {}, size: 0, former: former(0) }), there);
});

Deno.test("OriginalFiles does not find what has changed, or may have", () => {
  const changed = [
    former(100),
    former(100, [0, 99]),
    former(100, [1, 99]),
    former(100, [0, 50], [51, 49]),
    former(101, [0, 100]),
    former(99, [0, 99]),
    { ...former(100, [0, 100]), origin: {} },
  ];
  for (const each of changed) assert.equal(find({ origin: {}, former: each }), -1);
});
