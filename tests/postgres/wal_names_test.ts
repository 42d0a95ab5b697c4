/** Names of segments, and the histories of timelines. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "#src/errors.ts";
import { parseLsn, parseTimelineHistory, segmentName } from "#src/postgres/format/wal_names.ts";

Deno.test("a segment is called by its timeline and its place", () => {
  assert.equal(segmentName(1, 0x4600028n, 1 << 20), "000000010000000000000046");
  assert.equal(segmentName(0xab, parseLsn("2/FFFFFFFF")!, 16 << 20), "000000AB00000002000000FF");
  assert.equal(segmentName(1, parseLsn("a/0")!, 1 << 30), "000000010000000A00000000");
  for (const text of ["", "1", "1/", "/1", "123456789/0", "0/x", "0/1 ", "0x1/0"]) {
    assert.equal(parseLsn(text), undefined, text);
  }
});

Deno.test("the history of a timeline is the way to it", () => {
  const text = "1\t0/5000000\tno recovery target specified\n\n# a comment\n  3 0/7000028 x\n";
  assert.deepEqual(parseTimelineHistory(text, 4, "h"), [
    { timeline: 1, start: 0n, end: 0x5000000n },
    { timeline: 3, start: 0x5000000n, end: 0x7000028n },
    { timeline: 4, start: 0x7000028n, end: undefined },
  ]);
  for (const bad of ["x 0/1", "1", "1 0/x", "4 0/1 itself", "2 0/5\n1 0/6", "1 0/6\n2 0/5"]) {
    assert.throws(() => parseTimelineHistory(bad, 4, "h"), FormatError, bad);
  }
  fc.assert(fc.property(fc.string(), (any) => {
    try {
      parseTimelineHistory(any, 4, "h");
    } catch (error) {
      assert.ok(error instanceof FormatError);
    }
  }));
});
