import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { PayloadReuse, type ReusedRange } from "#src/backup/reuse/payload_reuse.ts";
import { DynamicIndex, DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";

function indexOf(...ends: number[]): DynamicIndex {
  const builder = new DynamicIndexBuilder();
  ends.forEach((end, position) => builder.add(digestFor(position), end));
  const stamp = { uuid: new Uint8Array(16), ctime: 0 };
  const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
  return DynamicIndex.parse(builder.finish(stamp, sha256).bytes);
}

function digestFor(position: number): ChunkDigest {
  return position.toString(16).padStart(64, "0") as ChunkDigest;
}

/** Numbers of the chunks of a range. */
function chunksOf(range: ReusedRange): number[] {
  return [...range.chunks].map(({ digest }) => parseInt(digest, 16));
}

Deno.test("PayloadReuse takes the chunks that cover a range, and keeps the last one back", () => {
  // The worked example of the format specification, section 10.1.
  const reuse = new PayloadReuse(indexOf(1000, 3000, 6000, 9000), () => true);
  const range = reuse.decide(1100, 5900, 16, true, false);
  assert.ok(range !== undefined);
  assert.deepEqual(chunksOf(range), [1]);
  assert.equal(2000 + range.shift, 1016);

  const next = reuse.decide(6000, 8900, 2016, false, false);
  assert.ok(next !== undefined);
  assert.deepEqual(chunksOf(next), [2, 3], "the kept chunk comes first");
  assert.equal(6000 + next.shift, 2016 + 3000);
  assert.equal(reuse.takeKept(), undefined);
});

Deno.test("PayloadReuse counts a shared chunk once", () => {
  const reuse = new PayloadReuse(indexOf(1000, 3000, 6000), () => true);
  const range = reuse.decide(1100, 5900, 16, true, false);
  assert.deepEqual(chunksOf(range!), [1]);
  // 2950 bytes before it, of which 2900 are in use; 20 behind it: 70 of 3000.
  const next = reuse.decide(5950, 5980, 2016, false, false);
  assert.deepEqual(chunksOf(next!), [2]);
  assert.equal(5950 + next!.shift, 2016 + 2950);
  assert.equal(reuse.takeKept(), undefined);
});

Deno.test("PayloadReuse gives the kept chunk where its last range is refused", () => {
  const reuse = new PayloadReuse(indexOf(1000, 2000, 3000), () => true);
  assert.deepEqual(chunksOf(reuse.decide(1000, 1950, 16, true, false)!), []);
  assert.equal(reuse.decide(2500, 2600, 16, true, false), undefined);
  assert.deepEqual(reuse.takeKept(), { digest: digestFor(1), size: 1000 });
  assert.equal(reuse.takeKept(), undefined);
});

Deno.test("PayloadReuse puts a range into the kept chunk where it fits", () => {
  const reuse = new PayloadReuse(indexOf(1000, 3000, 6000), () => true);
  assert.deepEqual(chunksOf(reuse.decide(1100, 5900, 16, true, false)!), [1]);
  const next = reuse.decide(5920, 6000, 2016, true, false);
  assert.deepEqual(chunksOf(next!), []);
  assert.equal(5920 + next!.shift, 2016 + 2920);
  assert.deepEqual(reuse.takeKept(), { digest: digestFor(2), size: 3000 });
});

Deno.test("PayloadReuse refuses more than one tenth of padding", () => {
  const decide = (start: number, end: number) =>
    new PayloadReuse(indexOf(10_000, 20_000), () => true).decide(start, end, 0, false, false) !==
      undefined;
  assert.equal(decide(1000, 10_000), true, "exactly one tenth");
  assert.equal(decide(1001, 10_000), false);
  assert.equal(decide(10_500, 19_500), true);
  assert.equal(decide(10_500, 19_499), false);
  assert.equal(decide(0, 10_000), true);
});

Deno.test("PayloadReuse takes the markers at both ends of a stream for no padding", () => {
  const reuse = new PayloadReuse(indexOf(33 + 32), () => true);
  assert.ok(reuse.decide(16, 16 + 33, 0, false, false) !== undefined);
});

Deno.test("PayloadReuse does not count what lies behind a range that may go on", () => {
  const reuse = new PayloadReuse(indexOf(10_000, 20_000), () => true);
  assert.deepEqual(chunksOf(reuse.decide(16, 5000, 100, true, true)!), []);
  const rest = reuse.decide(5000, 12_000, 100, true, true)!;
  assert.deepEqual(chunksOf(rest), [0]);
  assert.equal(rest.shift, 100);
  assert.equal(reuse.decide(12_000, 12_100, 10_100, false, false), undefined);
});

Deno.test("PayloadReuse has files read again whose chunks are not there any more", () => {
  const gone = new Set([digestFor(1)]);
  const reuse = new PayloadReuse(indexOf(1000, 2000, 3000, 4000), (digest) => !gone.has(digest));
  assert.equal(reuse.decide(0, 2000, 0, true, false), undefined);
  assert.equal(reuse.takeKept(), undefined);
  const range = reuse.decide(2000, 4000, 0, false, false);
  assert.ok(range !== undefined);
  assert.deepEqual(chunksOf(range), [2, 3]);
});
