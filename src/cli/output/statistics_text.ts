/**
 * The statistics of a mount for people: tables with units. Scripts take the JSON.
 *
 * @module
 */

import type { WaitReport } from "#src/mount/pending/wait_guard.ts";
import type { OperationStatistics } from "#src/mount/statistics.ts";
import {
  type DiffStatisticsReport,
  hasDiffStatistics,
  type StatisticsReport,
} from "#src/usecases/mounting/statistics_report.ts";
import { formatCatalogBytes } from "#src/bytes/byte_sizes.ts";
import { formatTable } from "../terminal/table.ts";
import { formatDuration } from "./duration.ts";
import { formatHydration } from "./hydration_text.ts";

/** `1,234,567`: numbers of any length can be read. */
function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/gu, ",");
}

/** `1 read`, `1,234 reads`. */
function formatNumberOf(thing: string, count = 0): string {
  return `${formatCount(count)} ${thing}${count === 1 ? "" : "s"}`;
}

/** `35 µs`, `1.2 ms`, `3.4 s`. */
function formatLatency(microseconds: number): string {
  if (microseconds < 1000) return `${Math.round(microseconds)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(1)} s`;
}

function operationsTable(
  operations: Readonly<Record<string, OperationStatistics>>,
  widthMax: number | undefined,
): string {
  const rows = Object.entries(operations)
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([name, { count, negative, errors, bytes, p50_us, p99_us }]) => [
      name,
      formatCount(count),
      formatCount(negative),
      formatCount(errors),
      bytes === 0 ? "" : formatCatalogBytes(bytes),
      formatLatency(p50_us),
      formatLatency(p99_us),
    ]);
  const titles = ["count", "negative", "failed", "data", "median", "99 % below"];
  const columns = titles.map((title) => ({ title, align: "right" as const }));
  return formatTable([{ title: "requests" }, ...columns], rows, widthMax);
}

function dataTable(
  { overlay, diff, index, cache, fuse }: DiffStatisticsReport,
  widthMax: number | undefined,
): string {
  const count = (thing: string, key: string) => formatNumberOf(thing, overlay[key]);
  const size = (key: string) => formatCatalogBytes(overlay[key] ?? 0);
  const rows = [
    ["read from the backup", count("read", "reads_from_lower"), size("bytes_from_lower")],
    ["read from the diff", count("read", "reads_from_diff"), size("bytes_from_diff")],
    ["written to the diff", "", size("bytes_written")],
    ["copied from the backup to the diff", count("block", "blocks_copied"), size("bytes_copied")],
    ["first changes to files of the backup", count("file", "files_copied_up"), ""],
    ["copied whole", count("file", "whole_copies"), ""],
    ["synced to disk", count("time", "syncs"), ""],
    ["opened in passthrough", count("time", "passthrough_opens"), ""],
    ["pages expanded", formatNumberOf("page", cache.page_misses), ""],
    ["reads answered from the page before", formatNumberOf("read", cache.page_hits), ""],
    ["contents of the backup opened", formatNumberOf("time", cache.handle_misses), ""],
    ["contents found open", formatNumberOf("time", cache.handle_hits), ""],
    ["now: open files", formatNumberOf("file", fuse["handles_open"]), ""],
    ["now: diff on its disk", formatNumberOf("file", diff.files), formatCatalogBytes(diff.bytes)],
    [
      "now: page indexes in memory",
      formatNumberOf("file", index.files),
      formatCatalogBytes(index.bytes),
    ],
  ];
  return formatTable(
    [{ title: "data" }, { title: "count", align: "right" }, { title: "size", align: "right" }],
    rows,
    widthMax,
  );
}

/** Says what waits, and for what; nothing where nothing does. */
function waitingNotice({ requests, operations, longest_s, files }: WaitReport): string {
  if (requests === 0) return "";
  const kinds = Object.entries(operations).map(([name, count]) => `${count} ${name}`).join(", ");
  const at = files.map((file) => `  waited for: ${file}\n`).join("");
  const verb = requests === 1 ? "waits" : "wait";
  return `${formatNumberOf("request", requests)} ${verb} for the storage of the backup ` +
    `(${kinds}), the oldest for ${formatDuration(longest_s)}.\n${at}`;
}

/** The text form. @param widthMax columns of the terminal; undefined where nobody looks */
export function formatStatistics(report: StatisticsReport, widthMax?: number): string {
  const { mount, operations, fuse, pid, uptime_s: uptime } = report;
  const backup = hasDiffStatistics(report) ? report : undefined;
  const head = `${mount.fsname}: mounted for ${formatDuration(uptime)}, ` +
    `process ${pid}, ${mount.workers} threads\n`;
  const notice = backup?.diff.read_only === true
    ? "The disk of the diff is read-only: changes are refused, what is there can be read.\n"
    : "";
  const hydration = backup === undefined || backup.hydration.state === "off"
    ? ""
    : `${formatHydration(backup.hydration)}\n`;
  const total = `all: ${formatCount(fuse["tasks_total"] ?? 0)} requests, ` +
    `${formatCount(fuse["tasks_negative"] ?? 0)} with an ordinary negative answer ` +
    `(such as "no such file"), ${formatCount(fuse["tasks_failed"] ?? 0)} failed\n`;
  const requests = Object.keys(operations).length === 0
    ? "no requests yet\n"
    : operationsTable(operations, widthMax) + total;
  const parts = [head + notice + hydration + waitingNotice(report.waiting), requests];
  if (backup !== undefined) parts.push(dataTable(backup, widthMax));
  // Only files of a diff are ever opened so.
  const passthrough = backup !== undefined && mount.kernel_features.includes("PASSTHROUGH")
    ? "Not counted: what the kernel reads and writes by itself in files opened in passthrough.\n"
    : "";
  return parts.join("\n") + passthrough;
}
