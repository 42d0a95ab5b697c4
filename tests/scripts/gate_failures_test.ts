import assert from "node:assert/strict";
import { type Part, runPart } from "../../scripts/gate.ts";
import {
  formatFailures,
  LastLines,
  reportedFailures,
  uncaughtErrors,
} from "../../scripts/gate_failures.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="3" failures="1" errors="1" time="0.05">
    <testsuite name="./a_test.ts" tests="3" disabled="0" errors="1" failures="1">
        <testcase name="good" classname="./a_test.ts" time="0.001" line="2" col="6">
        </testcase>
        <testcase name="bad &lt;x&gt; &amp; &quot;y&quot;" classname="./a_test.ts" time="0.001" line="3" col="6">
            <failure message="Uncaught Error: 1 &lt; 2">Error: 1 &lt; 2
    at file:///a_test.ts:3:44</failure>
        </testcase>
        <testcase name="later" classname="./a_test.ts" time="0" line="7" col="6">
            <error message="Cancelled"/>
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("reportedFailures() names file, line, test and error", () => {
  assert.deepEqual(reportedFailures(REPORT), [
    {
      title: './a_test.ts:3 bad <x> & "y"',
      lines: ["Error: 1 < 2", "    at file:///a_test.ts:3:44"],
    },
    { title: "./a_test.ts:7 later", lines: ["Cancelled"] },
  ]);
});

Deno.test("uncaughtErrors() finds what the report has not", () => {
  const output = [
    "Uncaught error from ./b_test.ts FAILED",
    "",
    " ERRORS ",
    "",
    "./b_test.ts (uncaught error)",
    "error: module is broken",
    "    at file:///b_test.ts:1:7",
    "",
    " FAILURES ",
    "",
    "./b_test.ts (uncaught error)",
    "",
    "FAILED | 0 passed | 1 failed",
  ];
  assert.deepEqual(uncaughtErrors(output), [{
    title: "./b_test.ts (uncaught error)",
    lines: ["error: module is broken", "    at file:///b_test.ts:1:7"],
  }]);
  assert.deepEqual(uncaughtErrors(["ok", ""]), []);
});

Deno.test("LastLines puts lines together that come in pieces, and drops colours", () => {
  const lines = new LastLines();
  const bytes = new TextEncoder().encode("one\n\x1b[31mtwö\x1b[0m\nthree");
  for (const byte of bytes) lines.add(Uint8Array.of(byte));
  assert.deepEqual(lines.lines, ["one", "twö", "three"]);
});

Deno.test("formatFailures() leaves few lines to many failures, and the end of a log has all of them", () => {
  const failure = (index: number) => ({
    title: `./${index}_test.ts:1 test`,
    lines: Array.from({ length: 80 }, (_, line) => `line ${line}`),
  });
  const lineCount = (failures: number) =>
    formatFailures(Array.from({ length: failures }, (_, index) => failure(index))).split("\n")
      .length;
  assert.equal(lineCount(1), 31);
  for (const failures of [4, 10, 60, 500]) {
    assert.ok(lineCount(failures) <= 121 && lineCount(failures) > 100, `${failures}`);
  }
  const text = formatFailures(Array.from({ length: 500 }, (_, index) => failure(index)));
  assert.match(text, /^FAILED \.\/0_test\.ts:1 test\n {4}line 0\n/);
  assert.match(text, /… and 440 more$/);
});

/** Runs a test file with this content as a part of the gate. */
async function runTestFile(content: string, timeoutMs = 120_000) {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/some_test.ts`, content);
    const part: Part = {
      name: "some tests",
      group: "unit",
      args: ["test", "--no-check", "--no-config", "--allow-run", `${directory}/some_test.ts`],
      usualMinutes: 1,
      timeoutMs,
    };
    const { counts, failures } = await runPart(part, `${directory}/report.xml`);
    return { counts, text: formatFailures(failures) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a failing test, one that is well and an error outside of tests are told apart", async () => {
  const { counts, text } = await runTestFile(`
    Deno.test("is well", () => {});
    Deno.test("is not", () => { throw new Error("1 < 2 & 3"); });
    Deno.test("fails outside", () => {
      setTimeout(() => { throw new Error("late"); }, 1);
      return new Promise((done) => setTimeout(done, 60_000));
    });
  `);
  assert.ok(counts.failed > 0, text);
  assert.match(text, /FAILED \S*some_test\.ts:3 is not\n {4}Error: 1 < 2 & 3\n/);
  assert.match(text, /FAILED \S*some_test\.ts \(uncaught error\)\n {4}error: Error: late\n/);
  assert.doesNotMatch(text, /is well|last lines/);
  assert.deepEqual(await runTestFile(`Deno.test("is well", () => {});`), {
    counts: { passed: 1, failed: 0, skipped: 0 },
    text: "",
  });
});

Deno.test("of a part that crashed or was stopped the last lines are shown", async () => {
  const crashed = await runTestFile(`
    Deno.test("ends itself", async () => {
      for (let line = 1; line <= 100; line++) console.error("said", line);
      await new Deno.Command("kill", { args: ["-KILL", String(Deno.pid)] }).output();
      await new Promise((done) => setTimeout(done, 60_000));
    });
  `);
  assert.equal(crashed.counts.failed, 1);
  assert.match(crashed.text, /^FAILED some tests: ended with SIGKILL; its last lines:\n/);
  assert.match(crashed.text, / said 100$/m);
  assert.doesNotMatch(crashed.text, / said 60$/m);

  const late = await runTestFile(
    `Deno.test("hangs", () => new Promise((done) => setTimeout(done, 600_000)));`,
    3_000,
  );
  assert.equal(late.counts.failed, 1);
  assert.match(late.text, /^FAILED \S*some_test\.ts:1 hangs\n {4}Cancelled\n/);
  assert.match(
    late.text,
    /\nFAILED some tests: not done after 0\.05 minutes, stopped; its last lines:\n/,
  );
});
