/**
 * A sync of two datastores, and what it tells.
 *
 * @module
 */

import { toRecord } from "#src/errors.ts";
import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import type { CopyableStore } from "#src/pbs/sync/ports.ts";
import type { SyncOutcome, SyncReport, SyncResult } from "#src/pbs/sync/report.ts";
import { type SyncOptions, syncStores } from "#src/pbs/sync/sync_stores.ts";
import { interruptible } from "#src/usecases/datastore/interruption.ts";
import type { Output } from "../output/output.ts";
import { partialError } from "../output/problem_output.ts";
import { ProgressLine } from "../output/progress_line.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** What to sync, and where to tell of it. */
export interface SyncJob {
  readonly source: CopyableStore;
  readonly target: CopyableStore;
  readonly sync: SyncOptions;
  readonly terminal: Terminal;
  readonly output: Output;
}

/** How an outcome is called, in earnest and where nothing is done; undefined: it is not told. */
const VERBS: Readonly<Record<SyncResult, readonly [string, string] | undefined>> = {
  copied: ["copied", "would copy"],
  removed: ["removed", "would remove"],
  kept: ["kept", "would keep"],
  skipped: ["skipped", "would skip"],
  present: undefined,
  failed: undefined,
};

/**
 * Syncs and prints what was done.
 *
 * @throws {StateError} `partial` when something has failed
 * @throws what {@link syncStores} throws
 */
export function runSync({ source, target, sync, terminal, output }: SyncJob): void {
  using line = new ProgressLine(terminal, output);
  const isDryRun = sync.isDryRun === true;
  const report = interruptible(
    "snapshots that were done are there, the next run goes on after them",
    (signal) =>
      syncStores(source, target, {
        ...sync,
        signal,
        onProgress: (snapshot, { doneBytes, totalBytes, newBytes }) =>
          line.show(() => {
            const name = qualifiedName(snapshot);
            const sizes = `${formatHumanBytes(doneBytes)} of ${formatHumanBytes(totalBytes)}`;
            return {
              text: `${name}: ${sizes}, ${formatHumanBytes(newBytes)} new`,
              fields: {
                snapshot: name,
                done_bytes: doneBytes,
                total_bytes: totalBytes,
                new_bytes: newBytes,
              },
            };
          }),
        onOutcome: (outcome) => {
          line.clear();
          if (outcome.result === "failed") output.problem(outcome.name, outcome.error);
          if (output.isJson) output.event({ type: "outcome", ...outcomeFields(outcome) });
          else terminal.out(formatOutcome(outcome, isDryRun));
        },
      }),
  );
  line.clear();
  output.value(reportFields(report, output.form === "jsonl"), () => formatReport(report, isDryRun));
  if (!report.isComplete) throw partialError(count(report, "failed"), "copied");
}

function formatOutcome({ name, result, reason, counts }: SyncOutcome, isDryRun: boolean): string {
  const verb = VERBS[result]?.[isDryRun ? 1 : 0];
  // After what a store has once, there is nothing to be said of it each time.
  if (verb === undefined || reason === "older-than-target") return "";
  const why = reason === undefined ? "" : `: ${reason.replaceAll("-", " ")}`;
  const what = counts === undefined
    ? ""
    : `: ${formatHumanBytes(counts.newBytes)} in ${chunks(counts.newChunkCount)}`;
  return `${verb} ${name}${why}${what}\n`;
}

function outcomeFields({ name, result, reason, counts, error }: SyncOutcome) {
  const { code, message } = error === undefined ? {} : toRecord(error);
  return {
    name,
    result,
    reason,
    new_chunks: counts?.newChunkCount,
    new_bytes: counts?.newBytes,
    total_bytes: counts?.totalBytes,
    code,
    message,
  };
}

function reportFields(report: SyncReport, isStream: boolean) {
  const { newChunkCount, newBytes } = sum(report);
  const fields = {
    ok: report.isComplete,
    copied: count(report, "copied"),
    present: count(report, "present"),
    skipped: count(report, "skipped"),
    removed: count(report, "removed"),
    kept: count(report, "kept"),
    failed: count(report, "failed"),
    new_chunks: newChunkCount,
    new_bytes: newBytes,
  };
  if (isStream) return { type: "summary", ...fields };
  return { ...fields, outcomes: report.outcomes.map(outcomeFields) };
}

function formatReport(report: SyncReport, isDryRun: boolean): string {
  const { newChunkCount, newBytes } = sum(report);
  const size = isDryRun
    ? ""
    : `, ${formatHumanBytes(newBytes)} in ${chunks(newChunkCount)} that were not there`;
  return `${isDryRun ? "would copy" : "copied"} ${count(report, "copied")} snapshots${size}; ` +
    `${count(report, "present")} present, ${count(report, "skipped")} skipped, ` +
    `${count(report, "removed")} ${isDryRun ? "to be removed" : "removed"}, ` +
    `${count(report, "kept")} kept, ${count(report, "failed")} failed\n`;
}

function chunks(number: number): string {
  return number === 1 ? "1 chunk" : `${number} chunks`;
}

function count({ outcomes }: SyncReport, result: SyncResult): number {
  return outcomes.filter((outcome) => outcome.result === result).length;
}

function sum({ outcomes }: SyncReport): { newChunkCount: number; newBytes: number } {
  const counts = outcomes.flatMap((outcome) => outcome.counts ?? []);
  return {
    newChunkCount: counts.reduce((total, { newChunkCount }) => total + newChunkCount, 0),
    newBytes: counts.reduce((total, { newBytes }) => total + newBytes, 0),
  };
}
