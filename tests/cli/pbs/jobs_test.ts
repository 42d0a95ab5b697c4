import assert from "node:assert/strict";
import { formatGcReport } from "#src/cli/jobs/gc_job.ts";
import { Output } from "#src/cli/output/output.ts";
import { ProgressLine } from "#src/cli/output/progress_line.ts";
import { parseGcStatus } from "#src/pbs/gc/status.ts";
import { contextOf } from "./_context.ts";

/** What a server has written after the garbage collection whose log has the lines below. */
const GC_STATUS =
  '{"upid":null,"index-file-count":2,"index-data-bytes":5520187,"disk-bytes":1079785,"disk-chunks":10,"removed-bytes":196180,"removed-chunks":0,"pending-bytes":32924,"pending-chunks":0,"removed-bad":1,"still-bad":3}';

Deno.test("formatGcReport() tells what a server's log tells", () => {
  assert.equal(
    formatGcReport(parseGcStatus(GC_STATUS)),
    `Removed garbage: 191.582 KiB
Removed chunks: 0
Pending removals: 32.152 KiB (in 0 chunks)
Removed bad chunks: 1
Leftover bad chunks: 3
Original data usage: 5.264 MiB
On-Disk usage: 1.03 MiB (19.56%)
On-Disk chunks: 10
Deduplication factor: 5.11
Average chunk size: 105.447 KiB
`,
  );
});

Deno.test("formatGcReport() tells of an empty datastore", () => {
  assert.match(formatGcReport(parseGcStatus("{}")), /Deduplication factor: 1\.00\n$/);
});

const report = () => ({ text: "half of it", fields: { done: 1, total: 2 } });

Deno.test("ProgressLine tells people on a terminal, and takes the line away", () => {
  const context = contextOf({}, true);
  {
    using line = new ProgressLine(context.terminal, new Output({}, context));
    line.show(report);
    line.show(report);
  }
  assert.equal(context.printed.err, "\r\x1b[Khalf of it\r\x1b[K");
  assert.equal(context.printed.out, "");
});

Deno.test("ProgressLine tells nobody without a terminal", () => {
  const context = contextOf({});
  using line = new ProgressLine(context.terminal, new Output({}, context));
  line.show(() => assert.fail("nobody asked"));
  assert.deepEqual(context.printed, { out: "", err: "" });
});

Deno.test("ProgressLine tells programs by events where they read lines, and else nothing", () => {
  for (const format of ["json", "jsonl"] as const) {
    const context = contextOf({}, true);
    using line = new ProgressLine(context.terminal, new Output({ format }, context));
    line.show(report);
    line.show(report);
    const { out, err } = context.printed;
    assert.equal(out, format === "json" ? "" : '{"type":"progress","done":1,"total":2}\n');
    assert.equal(err, "");
  }
});
