import { deepEqual, equal } from "node:assert/strict";
import { UnreadableRanges } from "#src/backup/image_source.ts";

function collect(): { readonly lines: string[]; readonly ranges: UnreadableRanges } {
  const lines: string[] = [];
  return { lines, ranges: new UnreadableRanges((message) => lines.push(message)) };
}

Deno.test("unreadable ranges side by side are one", () => {
  const { lines, ranges } = collect();
  for (const [offset, size] of [[4096, 4096], [8192, 16384], [24576, 65536], [1 << 20, 4096]]) {
    ranges.add(offset!, size!);
  }
  deepEqual(lines, ["Cannot read 86016 bytes at offset 4096: EIO, zeros in their place"]);
  ranges.finish();
  deepEqual(lines.slice(1), [
    "Cannot read 4096 bytes at offset 1048576: EIO, zeros in their place",
  ]);
  equal(ranges.count, 2);
});

Deno.test("of very many unreadable ranges the first ones are named, and the others counted", () => {
  const { lines, ranges } = collect();
  for (let index = 0; index < 1100; index++) ranges.add(index * 8192, 4096);
  ranges.finish();
  equal(lines.length, 101);
  equal(lines.at(-2), "Cannot read 4096 bytes at offset 811008: EIO, zeros in their place");
  equal(lines.at(-1), "and 1000 more ranges of 4096000 bytes in all, zeros in their place");
  equal(ranges.count, 1100);
});

Deno.test("nothing is told where everything could be read", () => {
  const { lines, ranges } = collect();
  ranges.finish();
  deepEqual([lines, ranges.count], [[], 0]);
});
