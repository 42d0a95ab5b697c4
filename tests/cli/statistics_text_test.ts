import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DiffStatistics } from "#src/usecases/mounting/mount_statistics.ts";
import type {
  DiffStatisticsReport,
  StatisticsReport,
} from "#src/usecases/mounting/statistics_report.ts";
import { formatStatistics } from "#src/cli/output/statistics_text.ts";
import { createSharedState } from "#src/overlay/shared_state.ts";
import { createPageCounterMemory } from "#src/pgprobackup/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const REPORT: DiffStatisticsReport = {
  pid: 4711,
  uptime_s: 7384.5,
  mount: {
    instance: "main",
    backup_id: "TOTXQL",
    fsname: "pbkfs:main/TOTXQL",
    workers: 2,
    kernel_features: ["PASSTHROUGH"],
  },
  waiting: {
    requests: 0,
    operations: {},
    longest_s: 0,
    threads: 0,
    files: [],
    interrupted: 0,
    timed_out: 0,
  },
  overlay: {
    reads_from_lower: 1_234_567,
    bytes_from_lower: 300 << 20,
    reads_from_diff: 12,
    bytes_from_diff: 8192,
    bytes_written: 16_384,
    blocks_copied: 3,
    bytes_copied: 24_576,
    files_copied_up: 2,
    whole_copies: 1,
    passthrough_opens: 5,
    syncs: 4,
  },
  fuse: { handles_open: 7, tasks_total: 120, tasks_negative: 40, tasks_failed: 1 },
  diff: { bytes: 40_960, files: 3, read_only: false, blocks_copied: 3, bytes_copied: 24_576 },
  hydration: {
    state: "off",
    reason: null,
    rate_limit: null,
    rate: 0,
    bytes_done: 0,
    bytes_total: 0,
    files_done: 0,
    files_total: 0,
    files_left_out: 0,
    time_left_s: null,
  },
  index: { files: 1, bytes: 65_536 },
  operations: {
    read: { count: 20, errors: 1, negative: 0, bytes: 163_840, p50_us: 35.4, p99_us: 1234 },
    lookup: { count: 100, errors: 0, negative: 40, bytes: 0, p50_us: 8, p99_us: 2_500_000 },
  },
  cache: { page_hits: 9, page_misses: 8, handle_hits: 6, handle_misses: 5 },
};

Deno.test("pbkfs stat prints tables with units, the most frequent requests first", () => {
  const text = formatStatistics(REPORT);
  const lines = text.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | "));
  assert.equal(
    lines[0],
    "pbkfs:main/TOTXQL: mounted for 2 h 3 min, process 4711, 2 threads",
  );
  assert.deepEqual(lines.slice(2, 6), [
    "requests | count | negative | failed | data | median | 99 % below",
    "lookup | 100 | 40 | 0 | 8 µs | 2.5 s",
    "read | 20 | 0 | 1 | 160kB | 35 µs | 1.2 ms",
    'all: 120 requests, 40 with an ordinary negative answer (such as "no such file"), 1 failed',
  ]);
  for (
    const line of [
      "read from the backup | 1,234,567 reads | 300MB",
      "copied from the backup to the diff | 3 blocks | 24kB",
      "now: diff on its disk | 3 files | 40kB",
    ]
  ) assert.ok(lines.includes(line), `${line}\n${text}`);
  const hydration = {
    ...REPORT.hydration,
    state: "running",
    rate: 50 << 20,
    rate_limit: 100 << 20,
    bytes_done: 2 ** 30,
    bytes_total: 3 * 2 ** 30,
    files_done: 4,
    files_total: 9,
    time_left_s: 41,
  } as const;
  assert.equal(
    formatStatistics({ ...REPORT, hydration } as StatisticsReport).split("\n")[1],
    "Hydrating: 1 GiB of 3 GiB, 4 of 9 files, 50 MiB/s (at most 100 MiB/s), 41 s left",
  );
  const full = { ...REPORT.hydration, state: "paused", reason: "no space left" } as const;
  assert.match(
    formatStatistics({ ...REPORT, hydration: full } as StatisticsReport),
    /^Hydration paused: no space left$/mu,
  );
  assert.match(text, /Not counted: what the kernel reads and writes by itself .* passthrough/);
  for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
});

Deno.test("pbkfs stat says so when there was no request", () => {
  assert.match(formatStatistics({ ...REPORT, operations: {} }), /^no requests yet$/m);
});

Deno.test("pbkfs stat says what waits, and for which files", () => {
  const waiting = {
    ...REPORT.waiting,
    requests: 12,
    operations: { read: 10, lookup: 2 },
    longest_s: 75.4,
    files: ["/backups/a", "/backups/b"],
  };
  const lines = formatStatistics({ ...REPORT, waiting }).split("\n");
  assert.deepEqual(lines.slice(1, 4), [
    "12 requests wait for the storage of the backup (10 read, 2 lookup), the oldest for 1 min 15 s.",
    "  waited for: /backups/a",
    "  waited for: /backups/b",
  ]);
});

Deno.test("pbkfs stat prints of a mount without a diff what there is", () => {
  const { pid, uptime_s, mount, waiting, operations, fuse } = REPORT;
  const { fsname, workers, kernel_features } = mount;
  const report: StatisticsReport = {
    pid,
    uptime_s,
    mount: { fsname, workers, kernel_features },
    waiting,
    fuse,
    operations,
  };
  const whole = formatStatistics(REPORT);
  const text = formatStatistics(report);
  assert.equal(text, whole.slice(0, whole.indexOf("\ndata ")));
  assert.match(text, /1 failed\n$/);
});

Deno.test("docs/statistics.md explains every counter that there is", () => {
  using diff = new TempDirectory("statistics");
  const mounted = {
    workerCount: 2,
    kernelFeatures: [],
    statistics: { operations: () => REPORT.operations, reset: () => {} },
    waitReport: () => REPORT.waiting,
  };
  const backup = {
    fsname: "pbkfs:i/B",
    facts: { instance: "i", backup_id: "B" },
    pageCounters: createPageCounterMemory(),
  };
  const collector = new DiffStatistics(mounted as never, backup, {
    shared: createSharedState(),
    diffPath: diff.path,
  }, () => REPORT.hydration);
  const text = Deno.readTextFileSync(
    fileURLToPath(new URL("../../docs/statistics.md", import.meta.url)),
  );
  const names = (value: object): string[] =>
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? [key, ...names(inner)]
        : [key]
    );
  const wanted = new Set(names(collector.collect()));
  assert.ok(wanted.has("whole_copies") && wanted.has("negative"));
  for (const name of wanted) assert.match(text, new RegExp(`\\b${name}\\b`), name);
  for (const line of formatStatistics(collector.collect()).matchAll(/^(.*?) {2}/gm)) {
    const [, label] = line;
    assert.ok(label === "" || text.includes(label!), label);
  }
});
