import assert from "node:assert/strict";
import { listManyPaths, makeSmallFiles } from "../../scripts/bench/pxar/data.ts";
import { PxarReport } from "../../scripts/bench/pxar/report.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("PxarReport judges the value itself, whatever the yardstick", () => {
  const report = new PxarReport();
  report.add({ name: "create", unit: "s", value: 0.2, yardstick: 0.1, target: "<= 0.3" });
  report.add({ name: "read", unit: "GB/s", value: 1, memoryMebibytes: 70, target: ">= 2" });
  report.add({ name: "list", unit: "s", value: 1, memoryMebibytes: 60 });
  const { figures } = JSON.parse(report.json());
  assert.deepEqual(figures.map(({ met }: { met?: boolean }) => met), [true, false, undefined]);
  assert.equal(report.memoryMax, 70);
  assert.match(report.table(), /MISSED/);
});

Deno.test("makeSmallFiles() makes the same files each time, without runs of zeros", () => {
  using place = new TempDirectory("bench-data");
  const [first, second] = ["1", "2"].map((name) => makeSmallFiles(place.join(name)));
  assert.equal(first!.bytes, 1000 * 4096);
  const bytes = [first!, second!].map(({ path }) => Deno.readFileSync(`${path}/d7/f42`));
  assert.deepEqual(bytes[0], bytes[1]);
  assert.equal(bytes[0]!.length, 4096);
  assert.ok(bytes[0]!.filter((byte) => byte === 0).length < 100);
});

Deno.test("listManyPaths() and the directories of the paths are 100,000 entries", () => {
  const paths = listManyPaths();
  const directories = new Set(paths.map((path) => path.split("/")[0]));
  assert.equal(paths.length + directories.size, 100_000);
});
