import assert from "node:assert/strict";
import { formatGcProgress, formatGcReport } from "#src/pbs/gc/report_text.ts";
import { parseGcStatus } from "#src/pbs/gc/status.ts";

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

Deno.test("formatGcProgress() says how far it is, also where there is nothing", () => {
  const sweep = { phase: "sweep", done: 1, total: 3, chunkCount: 7 } as const;
  assert.equal(formatGcProgress(sweep), "processed 33% (7 chunks)");
  const mark = { phase: "mark", done: 0, total: 0 } as const;
  assert.equal(formatGcProgress(mark), "marked 100% (0 of 0 index files)");
});
