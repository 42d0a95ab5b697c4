import assert from "node:assert/strict";
import {
  addCounts,
  countReport,
  describePart,
  describePlan,
  formatCounts,
  judge,
} from "../../scripts/gate.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.05">
    <testsuite name="./a_test.ts" tests="4" disabled="1" errors="0" failures="1">
        <testcase name="good" classname="./a_test.ts" time="0.001" line="2" col="6">
        </testcase>
        <testcase name="bad &lt;failure" classname="./a_test.ts" time="0.001" line="3" col="6">
            <failure message="Uncaught">AssertionError</failure>
        </testcase>
        <testcase name="off" classname="./a_test.ts" time="0" line="4" col="6">
            <skipped/>
        </testcase>
        <testcase name="short" classname="./a_test.ts" time="0" line="5" col="6"/>
    </testsuite>
</testsuites>
`;

Deno.test("countReport() counts cases by their outcome", () => {
  assert.deepEqual(countReport(REPORT), { passed: 2, failed: 1, skipped: 1 });
});

Deno.test("countReport() refuses a report that was cut off", () => {
  assert.equal(countReport(REPORT.slice(0, 500)), undefined);
  assert.equal(countReport(""), undefined);
});

Deno.test("judge() counts a crash and a failure outside of tests as failures", () => {
  const clean = REPORT.replace(/<failure.*<\/failure>/, "");
  assert.deepEqual(judge(true, clean, true), { passed: 3, failed: 0, skipped: 1 });
  assert.deepEqual(judge(false, clean, true), { passed: 3, failed: 1, skipped: 1 });
  assert.deepEqual(judge(false, REPORT, true), { passed: 2, failed: 1, skipped: 1 });
  assert.deepEqual(judge(true, undefined, true), { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(judge(false, undefined, false), { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(judge(true, undefined, false), { passed: 1, failed: 0, skipped: 0 });
});

Deno.test("formatCounts() mentions skipped tests only when there are some", () => {
  assert.equal(formatCounts({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  const sum = addCounts({ passed: 3, failed: 0, skipped: 0 }, { passed: 1, failed: 2, skipped: 1 });
  assert.equal(formatCounts(sum), "4 passed, 2 failed, 1 skipped");
});

Deno.test("describePlan() and describePart() tell how long it takes and how much is left", () => {
  const parts = [
    { name: "lint", usualMinutes: 0.2 },
    { name: "unit tests", usualMinutes: 6 },
    { name: "examples", usualMinutes: 1 },
  ];
  assert.equal(describePlan(parts), "about 8 minutes on two cores: lint, unit tests, examples");
  assert.equal(describePart(parts, 1), "── 2 of 3: unit tests (about 7 minutes left)");
  assert.equal(describePart(parts, 2), "── 3 of 3: examples (about a minute left)");
  const beside = [...parts, { name: "e2e", usualMinutes: 3, isBeside: true }];
  assert.equal(
    describePlan(beside),
    "about 10 minutes on two cores: lint, unit tests, examples, e2e",
  );
  const next = [...beside, { name: "rest", usualMinutes: 4, isNext: true }];
  assert.equal(
    describePlan(next),
    "about 14 minutes on two cores: lint, unit tests, examples, e2e, rest",
  );
});
