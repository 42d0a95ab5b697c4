/**
 * Runs checks and tests part by part and sums up: the last line is
 * `N passed, N failed[, N skipped]`. Right before the counts stands what failed, for whoever sees
 * only the end.
 *
 *     deno run --allow-read --allow-write=dist --allow-run scripts/gate.ts [checks] [unit] [e2e]
 *
 * A check counts as one. A part that crashes or takes too long is a failure, whatever it counted
 * before.
 *
 * @module
 */

import {
  type Failure,
  formatFailures,
  LastLines,
  lastWords,
  reportedFailures,
  uncaughtErrors,
} from "./gate_failures.ts";
import config from "../deno.json" with { type: "json" };

/** Outcome of one part, or of all. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** One child process of the gate. */
export interface Part {
  readonly name: string;
  readonly group: "checks" | "unit" | "e2e";
  readonly args: readonly string[];
  /** How long it takes on two cores. */
  readonly usualMinutes: number;
  /** Runs at the same time as the part before it. Default: false. */
  readonly isBeside?: boolean;
  /** Runs after the part before it, beside what that runs beside. Default: false. */
  readonly isNext?: boolean;
  /** How far it stands back for what runs beside it, as nice(1) counts. Default: 0. */
  readonly niceness?: number;
  readonly timeoutMs: number;
}

const MINUTE_MS = 60_000;

/** What tests may do: docs/permissions.md says what of this the program itself needs. */
const TEST_PERMISSIONS = [
  "--no-prompt",
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-sys",
  "--allow-net",
];

const TIDY_PERMISSIONS = ["--allow-read", "--allow-write=dist", "--allow-run=deno,git"];

/** All checks run at once. */
function check(name: string, ...args: string[]): Part {
  return {
    name,
    group: "checks",
    args,
    usualMinutes: 1,
    timeoutMs: 10 * MINUTE_MS,
    isBeside: true,
  };
}

/** End-to-end tests that run last. */
const LAST_TESTS = [..."rstuvwxyz"].map((letter) => `tests/e2e/${letter}*_test.ts`);

function endToEnd(name: string, usualMinutes: number, ...paths: readonly string[]): Part {
  const args = ["test", ...TEST_PERMISSIONS, ...paths];
  return { name, group: "e2e", args, usualMinutes, timeoutMs: 60 * MINUTE_MS };
}

/**
 * Tests that run by themselves, since others beside them would notice: they take memory or address
 * space for long, or make mount namespaces, in which the mounts of all others live on.
 */
const TESTS_ALONE = [
  "tests/pxar/fuzz_test.ts",
  "tests/overlay",
  "tests/cli/control",
  "tests/usecases/mounting/control",
  "tests/io/local_time_test.ts",
];

const PARTS: readonly Part[] = [
  check("format", "fmt", "--check"),
  check("lint", "lint"),
  check("types", "check"),
  check("documentation", "run", "--no-prompt", ...TIDY_PERMISSIONS, "scripts/doc_check.ts"),
  // All at once, since a type that one export uses may be another's.
  check("documentation of exports", "doc", "--lint", ...Object.values(config.exports)),
  check("tidy", "run", "--no-prompt", ...TIDY_PERMISSIONS, "scripts/tidy.ts"),
  ...TESTS_ALONE.map((path): Part => ({
    name: path,
    group: "unit",
    args: ["test", ...TEST_PERMISSIONS, path],
    usualMinutes: 0.5,
    timeoutMs: 10 * MINUTE_MS,
    // One processor does for each of these two.
    isBeside: path === "tests/overlay",
  })),
  {
    name: "examples in the documentation",
    group: "unit",
    args: ["test", "--doc", ...TEST_PERMISSIONS, "--permit-no-files", "src", "ffi"],
    usualMinutes: 0.2,
    timeoutMs: 5 * MINUTE_MS,
  },
  // End-to-end tests come one after the other, wait for servers part of their time, and take the
  // longest of all. Unit tests use what these leave; when they are done, the last of the others do.
  endToEnd("end-to-end tests, a to q", 26, "tests/e2e", `--ignore=${LAST_TESTS.join(",")}`),
  {
    name: "unit tests",
    group: "unit",
    args: [
      "test",
      "--parallel",
      ...TEST_PERMISSIONS,
      `--ignore=${["tests/e2e", ...TESTS_ALONE].join(",")}`,
      "tests",
    ],
    usualMinutes: 22,
    timeoutMs: 45 * MINUTE_MS,
    niceness: 5,
    isBeside: true,
  },
  { ...endToEnd("end-to-end tests, r to z", 7, ...LAST_TESTS), isNext: true },
];

/** Sum of two outcomes. */
export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The line that ends a run. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}

/**
 * Counts the test cases of a JUnit report; steps count like tests.
 *
 * @returns undefined when the text is not a complete report, as after a crash
 */
export function countReport(report: string): Counts | undefined {
  if (!report.trimEnd().endsWith("</testsuites>")) return undefined;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, body] of report.matchAll(/<testcase\b[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)) {
    if (body !== undefined && /<(failure|error)\b/.test(body)) counts.failed++;
    else if (body !== undefined && /<skipped\b/.test(body)) counts.skipped++;
    else counts.passed++;
  }
  return counts;
}

/**
 * Outcome of a part from its exit status and its report.
 *
 * @param report text of the JUnit report; undefined for checks and when there is none
 */
export function judge(success: boolean, report: string | undefined, isTest: boolean): Counts {
  if (!isTest) return { passed: success ? 1 : 0, failed: success ? 0 : 1, skipped: 0 };
  const counts = report === undefined ? undefined : countReport(report);
  if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
  // Errors outside of tests (a leaked resource, a module that cannot be loaded) fail the run alone.
  return !success && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** What the plan says of a part. */
type PlannedPart = Pick<Part, "name" | "usualMinutes" | "isBeside" | "isNext">;

/** Parts that run one after the other. */
type Lane<Planned> = Planned[];

/** Parts in the order in which they run: lanes of one step at the same time. */
function stepsOf<Planned extends PlannedPart>(parts: readonly Planned[]): Lane<Planned>[][] {
  const steps: Lane<Planned>[][] = [];
  for (const part of parts) {
    const step = steps.at(-1);
    if (step !== undefined && part.isNext === true) step.at(-1)!.push(part);
    else if (step !== undefined && part.isBeside === true) step.push([part]);
    else steps.push([[part]]);
  }
  return steps;
}

function minutesOf(parts: readonly PlannedPart[]): number {
  const sum = (minutes: readonly number[]) => minutes.reduce((total, each) => total + each, 0);
  const lengthOf = (lane: Lane<PlannedPart>) => sum(lane.map(({ usualMinutes }) => usualMinutes));
  return Math.ceil(sum(stepsOf(parts).map((step) => Math.max(...step.map(lengthOf)))));
}

function inMinutes(count: number): string {
  return count === 1 ? "about a minute" : `about ${count} minutes`;
}

/** What is going to run, and how long that takes. */
export function describePlan(parts: readonly PlannedPart[]): string {
  const names = parts.map(({ name }) => name).join(", ");
  return `${inMinutes(minutesOf(parts))} on two cores: ${names}`;
}

/** The line above a part: which of how many, and how much is still to come, itself included. */
export function describePart(
  parts: readonly PlannedPart[],
  index: number,
): string {
  const left = inMinutes(minutesOf(parts.slice(index)));
  return `── ${index + 1} of ${parts.length}: ${parts[index]!.name} (${left} left)`;
}

/**
 * How long output is waited for after a part has ended: what it has left behind may hold the pipe
 * for ever.
 */
const LATE_OUTPUT_MS = 2_000;

/** How long interrupted tests have to report which of them have not ended. */
const REPORT_MS = 10_000;

/**
 * Counts and failures of a part that was run; its output goes to ours.
 *
 * @param label stands before its lines
 */
export async function runPart(
  part: Part,
  report: string,
  label = "",
): Promise<{ counts: Counts; failures: Failure[] }> {
  const isTest = part.args[0] === "test";
  const extra = isTest ? [`--junit-path=${report}`] : [];
  const child = new Deno.Command("nice", {
    args: [
      `--adjustment=${part.niceness ?? 0}`,
      "deno",
      part.args[0]!,
      ...extra,
      ...part.args.slice(1),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = new LastLines();
  const streams = [
    copyOutput(child.stdout.getReader(), Deno.stdout, output, label),
    copyOutput(child.stderr.getReader(), Deno.stderr, output, label),
  ];
  let isTooLate = false;
  const timers = [
    setTimeout(() => {
      isTooLate = true;
      child.kill("SIGINT");
    }, part.timeoutMs),
    setTimeout(() => child.kill("SIGKILL"), part.timeoutMs + REPORT_MS),
  ];
  const { success, code, signal } = await child.status;
  timers.forEach(clearTimeout);
  const lateTimer = setTimeout(() => streams.forEach(({ stop }) => stop()), LATE_OUTPUT_MS);
  await Promise.all(streams.map(({ done }) => done));
  clearTimeout(lateTimer);

  const text = await Deno.readTextFile(report).catch(() => undefined);
  const counts = judge(success, text, isTest);
  if (success && counts.failed === 0) return { counts, failures: [] };
  const failures = [...reportedFailures(text ?? ""), ...uncaughtErrors(output.lines)];
  const end = isTooLate
    ? `not done after ${part.timeoutMs / MINUTE_MS} minutes, stopped`
    : `ended with ${signal ?? `status ${code}`}`;
  // A part that has not come to its end says by its last lines where it was, whatever had failed
  // until then.
  const isCut = isTooLate || signal !== null || failures.length === 0;
  if (isCut) failures.push(lastWords(`${part.name}: ${end}; its last lines:`, output.lines));
  return { counts, failures };
}

function copyOutput(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  to: { writeSync(bytes: Uint8Array): number },
  output: LastLines,
  label: string,
): { done: Promise<void>; stop: () => void } {
  const write = (bytes: Uint8Array) => {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(to.writeSync(rest));
  };
  const decoder = new TextDecoder();
  let begun = "";
  const copy = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (value !== undefined) output.add(value);
      if (label === "" && value !== undefined) write(value);
      if (label !== "") {
        // Whole lines, since others come between them.
        const lines = (begun + decoder.decode(value, { stream: !done })).split("\n");
        begun = done ? "" : lines.pop()!;
        const text = lines.filter((line) => line !== "").map((line) => `${label}${line}\n`);
        write(new TextEncoder().encode(text.join("")));
      }
      if (done) return;
    }
  };
  return { done: copy(), stop: () => void reader.cancel() };
}

async function main(groups: readonly string[]): Promise<number> {
  const selected = PARTS.filter((part) => groups.length === 0 || groups.includes(part.group));
  await Deno.mkdir("dist", { recursive: true });
  const directory = await Deno.makeTempDir({ dir: "dist", prefix: ".gate-" });
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const summary: string[] = [];
  const allFailures: Failure[] = [];
  try {
    console.log(describePlan(selected));
    for (const step of stepsOf(selected)) {
      const results = await Promise.all(step.map(async (lane) => {
        const ended = [];
        for (const part of lane) {
          const index = selected.indexOf(part);
          console.log(`\n${describePart(selected, index)}`);
          const label = step.length === 1 ? "" : `${part.group}: `;
          ended.push({ part, ...await runPart(part, `${directory}/${index}.xml`, label) });
        }
        return ended;
      }));
      for (const { part, counts, failures } of results.flat()) {
        allFailures.push(...failures);
        summary.push(`${part.name}: ${formatCounts(counts)}`);
        total = addCounts(total, counts);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  if (allFailures.length > 0) console.log(`\n${formatFailures(allFailures)}`);
  console.log(`\n${summary.join("\n")}\n${formatCounts(total)}`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
