/** Where a changed file has holes: in the diff, in what it shows of the backup, behind both. */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { Fallocate, Seek } from "#ffi/libc/calls.ts";
import { blockRanges, checkHolesAreZeros, dataRanges } from "#tests/support/hole_checks.ts";
import { treeWithHoles } from "./_tree_with_holes.ts";
import { OverlayHarness } from "./harness.ts";

const BLOCK = 8192;

const HOLE = { start: 2 * BLOCK, end: 4 * BLOCK };
/** Blocks 0 and 1 have data, 2 and 3 are zeros, 4 has data, 5 is cut short. */
const LOWER = new Uint8Array(5 * BLOCK + 100);
for (const block of [0, 1, 4, 5]) LOWER.fill(block + 1, block * BLOCK, (block + 1) * BLOCK);

function withHarness(test: (harness: OverlayHarness) => void): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-holes-" });
  try {
    test(new OverlayHarness(treeWithHoles(LOWER, HOLE), diffPath));
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

function rangesOf(harness: OverlayHarness, path: string) {
  const finder = {
    nextData: (at: number) => harness.seek(path, Seek.DATA, at),
    nextHole: (at: number) => harness.seek(path, Seek.HOLE, at)!,
  };
  return dataRanges(finder, harness.stat(path).size);
}

Deno.test("Overlay shows the holes of a file that only the backup has", () =>
  withHarness((harness) => {
    deepEqual(rangesOf(harness, "file"), [[0, 2 * BLOCK], [4 * BLOCK, LOWER.length]]);
    equal(harness.stat("file").blocks, Math.ceil((LOWER.length - 2 * BLOCK) / 512));
  }));

Deno.test("Overlay shows the holes of a changed file in both layers, and behind them", () =>
  withHarness((harness) => {
    harness.write("file", 3 * BLOCK, new Uint8Array(BLOCK).fill(9));
    deepEqual(rangesOf(harness, "file"), [[0, 2 * BLOCK], [3 * BLOCK, LOWER.length]]);
    harness.truncate("file", 1000 * BLOCK);
    harness.write("file", 900 * BLOCK, new Uint8Array(BLOCK).fill(9));
    const ranges = rangesOf(harness, "file");
    checkHolesAreZeros(ranges, harness.read("file"));
    const dataSize = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
    ok(dataSize <= 6 * BLOCK, `${dataSize} bytes of data`);
    ok(harness.stat("file").blocks <= 100 * BLOCK / 512, "so that programs look for holes");
    harness.fallocate("file", Fallocate.KEEP_SIZE | Fallocate.PUNCH_HOLE, 0, BLOCK);
    equal(harness.seek("file", Seek.DATA, 0), BLOCK);
    harness.remount();
    equal(harness.seek("file", Seek.DATA, 0), BLOCK);
  }));

Deno.test("Overlay counts of a changed file what the backup stores of it, and the diff", () =>
  withHarness((harness) => {
    harness.truncate("file", 1000 * BLOCK);
    const stored = Math.ceil((LOWER.length - 2 * BLOCK) / 512);
    const inDiff = () => Deno.statSync(`${harness.diffPath}/data/file`).blocks!;
    equal(harness.stat("file").blocks, stored + inDiff());
    harness.write("file", 900 * BLOCK, new Uint8Array(BLOCK).fill(9));
    equal(harness.stat("file").blocks, stored + inDiff());
    harness.truncate("file", BLOCK);
    harness.truncate("file", 1000 * BLOCK);
    equal(harness.stat("file").blocks, BLOCK / 512 + inDiff(), "no more than is still visible");
  }));

Deno.test("Overlay shows the holes of a file of the diff", () =>
  withHarness((harness) => {
    harness.create("new");
    harness.truncate("new", 1 << 30);
    harness.write("new", 5 << 20, new Uint8Array(4096).fill(1));
    const ranges = rangesOf(harness, "new");
    equal(ranges.length, 1);
    ok(ranges[0]![0] <= 5 << 20 && ranges[0]![1] - ranges[0]![0] <= 1 << 20);
    ok(harness.stat("new").blocks * 512 <= 1 << 20);
  }));

Deno.test("Overlay's holes are zeros, whatever was done to the file", () => {
  const place = fc.nat(12 * BLOCK);
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("write" as const),
      at: place,
      size: fc.integer({ min: 1, max: 20_000 }),
    }),
    fc.record({ kind: fc.constant("truncate" as const), at: place, size: fc.constant(0) }),
    fc.record({
      kind: fc.constant("punch" as const),
      at: place,
      size: fc.integer({ min: 1, max: 30_000 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) =>
      withHarness((harness) => {
        for (const { kind, at, size } of steps) {
          if (kind === "write") harness.write("file", at, new Uint8Array(size).fill(3));
          else if (kind === "truncate") harness.truncate("file", at);
          else harness.fallocate("file", Fallocate.KEEP_SIZE | Fallocate.PUNCH_HOLE, at, size);
        }
        const bytes = harness.read("file");
        const ranges = rangesOf(harness, "file");
        checkHolesAreZeros(ranges, bytes);
        // Where there is data in the blocks of the host, there is data.
        const allocated = harness.stat("file").blocks * 512;
        const needed = blockRanges(bytes, 4096).reduce((sum, [start, end]) => sum + end - start, 0);
        ok(allocated >= needed, `${allocated} of ${needed}`);
      })),
    { numRuns: 60 },
  );
});
