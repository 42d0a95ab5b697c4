import assert from "node:assert/strict";
import { Output } from "#src/cli/output/output.ts";
import { ProgressLine } from "#src/cli/output/progress_line.ts";
import { contextOf } from "./_context.ts";

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
