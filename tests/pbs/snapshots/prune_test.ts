import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { UsageError } from "#src/errors.ts";
import {
  type Calendar,
  type PrunableSnapshot,
  type RetentionOptions,
  selectForPruning,
} from "#src/pbs/snapshots/prune.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";

type Flags = "unfinished" | "protected" | "";

function snapshots(list: readonly (readonly [string, Flags])[]): PrunableSnapshot<string>[] {
  return list.map(([text, flags]) => ({
    id: text,
    time: Date.parse(text) / 1000,
    isFinished: flags !== "unfinished",
    isProtected: flags === "protected",
  }));
}

const utcCalendar: Calendar = (seconds) => {
  const date = new Date(seconds * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
  };
};

/** Marks by a process in another time zone, newest first. */
async function marksIn(
  zone: string,
  list: readonly PrunableSnapshot<string>[],
  keep: RetentionOptions,
  permissions: readonly string[] = [],
): Promise<string[]> {
  const module = fileURLToPath(new URL("../_local_calendar.ts", import.meta.url));
  const command = denoRunCommand(permissions, module, [JSON.stringify([list, keep])]);
  const { stdout } = await runCommand(command, { timeoutMs: 30_000, env: { TZ: zone } });
  return JSON.parse(stdout).map(({ mark, period }: { mark: string; period?: string }) =>
    period === undefined ? mark : `${mark} ${period}`
  );
}

const WORKED = snapshots([
  ["2025-01-01T11:00:00Z", "unfinished"],
  ["2025-01-01T10:00:00Z", ""],
  ["2025-01-01T00:10:00Z", ""],
  ["2024-12-31T23:15:00Z", ""],
  ["2024-12-31T10:00:00Z", "protected"],
  ["2024-12-30T22:30:00Z", ""],
  ["2024-12-30T10:00:00Z", ""],
  ["2024-12-29T23:30:00Z", ""],
  ["2024-12-28T10:00:00Z", "unfinished"],
]);
const WORKED_KEEP = { last: 1, daily: 2, weekly: 1, yearly: 1 };

Deno.test("selectForPruning selects as the real server does, TZ=UTC", async () => {
  assert.deepEqual(await marksIn("UTC", WORKED, WORKED_KEEP), [
    "keep-partial",
    "keep last",
    "remove",
    "keep daily",
    "protected",
    "keep daily",
    "remove",
    "keep weekly",
    "remove",
  ]);
});

const WORKED_IN_VIENNA = [
  "keep-partial",
  "keep last",
  "remove",
  "remove",
  "protected",
  "keep daily",
  "remove",
  "remove",
  "remove",
];

Deno.test("selectForPruning selects as the real server does, TZ=Europe/Vienna", async () => {
  assert.deepEqual(await marksIn("Europe/Vienna", WORKED, WORKED_KEEP), WORKED_IN_VIENNA);
});

Deno.test("selectForPruning selects by a rule in TZ as by the zone's name", async () => {
  const rule = "CET-1CEST,M3.5.0,M10.5.0/3";
  assert.deepEqual(await marksIn(rule, WORKED, WORKED_KEEP, ["--allow-ffi"]), WORKED_IN_VIENNA);
});

Deno.test("selectForPruning needs a zone where it selects by days, and only there", async () => {
  const marks = (keep: RetentionOptions) => marksIn("Europe/Viena", WORKED, keep, ["--allow-ffi"]);
  await assert.rejects(marks({ daily: 1 }), /Cannot tell the local time/);
  assert.deepEqual((await marks({ last: 1 })).slice(0, 2), ["keep-partial", "keep last"]);
});

Deno.test("selectForPruning counts by the local hour and day when clocks change", async () => {
  // 2024-03-31: 01:00Z is 03:00 in Vienna. 2024-10-27: 00:30Z and 01:30Z are both 02:30.
  const list = snapshots([
    ["2024-10-27T01:30:00Z", ""],
    ["2024-10-27T00:30:00Z", ""],
    ["2024-03-31T22:30:00Z", ""],
    ["2024-03-31T00:30:00Z", ""],
    ["2024-03-30T23:30:00Z", ""],
    ["2024-03-30T22:30:00Z", ""],
  ]);
  const hourly = await marksIn("Europe/Vienna", list, { hourly: 10 });
  assert.deepEqual(hourly.map((mark) => mark.split(" ")[0]), [
    "keep",
    "remove",
    "keep",
    "keep",
    "keep",
    "keep",
  ]);
  const daily = await marksIn("Europe/Vienna", list, { daily: 10 });
  assert.deepEqual(daily, [
    "keep daily",
    "remove",
    // 00:30 of April 1.
    "keep daily",
    "keep daily",
    "remove",
    "keep daily",
  ]);
});

Deno.test("selectForPruning keeps everything where nothing is asked for", () => {
  for (const keep of [{}, { last: 0, yearly: 0 }]) {
    const marks = selectForPruning(WORKED, keep, utcCalendar).map(({ mark }) => mark);
    assert.deepEqual(marks, [
      "keep-partial",
      ...["keep", "keep", "keep", "protected", "keep", "keep", "keep", "keep"],
    ]);
  }
});

Deno.test("selectForPruning removes unfinished snapshots once there is anything newer", () => {
  const list = snapshots([
    ["2024-05-03T00:00:00Z", "unfinished"],
    ["2024-05-02T00:00:00Z", "unfinished"],
    ["2024-05-01T00:00:00Z", ""],
    ["2024-04-30T00:00:00Z", "unfinished"],
  ]);
  const marks = selectForPruning(list.toReversed(), { last: 5 }, utcCalendar);
  assert.deepEqual(marks.map(({ mark }) => mark), ["keep-partial", "remove", "keep", "remove"]);
});

Deno.test("selectForPruning takes weeks from ISO 8601", () => {
  const list = snapshots([
    ["2027-01-04T12:00:00Z", ""],
    ["2027-01-03T12:00:00Z", ""],
    ["2026-12-28T12:00:00Z", ""],
    ["2021-01-03T12:00:00Z", ""],
    ["2020-12-28T12:00:00Z", ""],
    ["2020-12-27T12:00:00Z", ""],
  ]);
  const marks = selectForPruning(list, { weekly: 10 }, utcCalendar).map(({ mark }) => mark);
  assert.deepEqual(marks, ["keep", "keep", "remove", "keep", "remove", "keep"]);
});

Deno.test("selectForPruning keeps at most what was asked for, and what is protected", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = new Random(seed);
    const list = Array.from({ length: random.between(0, 40 - 1) }, (_, index) => ({
      id: index,
      time: 1_700_000_000 + random.between(0, 400 * 86_400 - 1),
      isFinished: random.between(0, 10 - 1) > 0,
      isProtected: random.between(0, 10 - 1) === 0,
    }));
    const keep = {
      last: random.between(0, 4 - 1),
      daily: random.between(0, 5 - 1),
      monthly: random.between(0, 3 - 1),
    };
    const decisions = selectForPruning(list, keep, utcCalendar);
    assert.equal(decisions.length, list.length);
    const times = new Map(list.map(({ id, time }) => [id, time]));
    for (const [period, countMax] of Object.entries(keep)) {
      const selected = decisions.filter((decision) => decision.period === period);
      assert.ok(selected.length <= countMax);
    }
    for (const [index, { id, mark }] of decisions.entries()) {
      const { isProtected, isFinished } = list.find((item) => item.id === id)!;
      if (isProtected) assert.notEqual(mark, "remove");
      if (mark === "keep-partial") assert.equal(!isFinished && index === 0, true);
      if (index > 0) assert.ok(times.get(decisions[index - 1]!.id)! >= times.get(id)!);
    }
  }
});

Deno.test("selectForPruning refuses counts that would select nothing by mistake", () => {
  for (const keep of [{ last: -1 }, { daily: NaN }, { last: 1, weekly: 1.5 }]) {
    assert.throws(() => selectForPruning(WORKED, keep), UsageError);
  }
});
