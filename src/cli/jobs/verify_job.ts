/**
 * A verification of snapshots, and what it tells.
 *
 * @module
 */

import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { toRecord } from "#src/errors.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import {
  type VerifiedSnapshot,
  type VerifyFault,
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
  type VerifyScope,
  verifyStore,
} from "#src/pbs/verify/verify_store.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import { formatHumanBytes } from "../terminal/byte_sizes.ts";
import { interruptible } from "#src/usecases/datastore/interruption.ts";
import type { Output } from "../output/output.ts";
import { ProgressLine, type ProgressReport } from "../output/progress_line.ts";

/** What to verify, and where to tell of it. */
export interface VerifyJob {
  readonly store: Datastore;
  readonly scope: VerifyScope;
  readonly ignoreVerified: boolean | undefined;
  readonly outdatedAfterDays: number | undefined;
  /** For signatures and encrypted chunks. */
  readonly crypt: CryptConfig | undefined;
  /** Name of the store at its server; undefined where there is none. */
  readonly storeName: string | undefined;
  readonly terminal: Terminal;
  readonly output: Output;
}

/**
 * Verifies and prints what was found.
 *
 * @returns whether nothing is damaged, and a single snapshot was indeed verified, now or before
 */
export function runVerification(job: VerifyJob): boolean {
  const { store, scope, ignoreVerified, outdatedAfterDays, crypt, storeName, output } = job;
  using line = new ProgressLine(job.terminal, output);
  const options: VerifyOptions = {
    ignoreVerified,
    outdatedAfterDays,
    crypts: crypt && [crypt],
    storeName,
    // The main thread takes part.
    threads: { count: navigator.hardwareConcurrency - 1, spawn: spawnThread },
    onProgress: (progress) => line.show(() => describeProgress(progress)),
    onWarning: (message) => {
      line.clear();
      output.warning(message);
    },
    onFault: (fault) => {
      line.clear();
      if (output.isJson) output.event({ type: "fault", ...faultFields(fault) });
      else job.terminal.out(`${formatFault(fault)}\n`);
    },
  };
  const report = interruptible(
    "results of snapshots that were done are saved",
    (signal) => verifyStore(store, scope, { ...options, signal }),
  );
  line.clear();
  output.value(reportFields(report, output.form === "jsonl"), () => formatReport(report));
  return report.isClean && (scope.kind !== "snapshot" || report.snapshots.every(hasResult));
}

/** Snapshots in use are passed over; that is no result for who asked for this one. */
function hasResult({ result, reason }: VerifiedSnapshot): boolean {
  return result !== "skipped" || reason === "verified";
}

function describeProgress(progress: VerifyProgress): ProgressReport {
  const { done, total, file, chunksDone, chunksTotal } = progress;
  const snapshot = qualifiedName(progress.snapshot);
  const place = file === undefined ? snapshot : `${snapshot}/${file}`;
  return {
    text:
      `verified ${done} of ${total} snapshots, ${place}: ${chunksDone} of ${chunksTotal} chunks`,
    fields: { snapshot, file: file ?? null, done, total, chunksDone, chunksTotal },
  };
}

/** A fault as programs get it. */
function faultFields({ snapshot, file, message, error, renamedTo }: VerifyFault) {
  return {
    snapshot: qualifiedName(snapshot),
    file: file ?? null,
    code: toRecord(error).code,
    message,
    renamed_to: renamedTo,
  };
}

function formatFault({ snapshot, file, message, renamedTo }: VerifyFault): string {
  const place = qualifiedName(snapshot) + (file === undefined ? "" : `/${file}`);
  const renamed = renamedTo === undefined ? "" : `; renamed to "${renamedTo}"`;
  return `${place}: ${message}${renamed}`;
}

function reportFields(report: VerifyReport, isStream: boolean) {
  const fields = {
    ok: report.isClean,
    chunks: report.chunkCount,
    stored_bytes: report.storedBytes,
    plain_bytes: report.plainBytes,
    bad_chunks: report.badChunkCount,
    snapshots: report.snapshots.map(snapshotFields),
  };
  return isStream ? { type: "summary", ...fields } : fields;
}

function snapshotFields({ snapshot, result, reason, faults }: VerifiedSnapshot) {
  return {
    snapshot: qualifiedName(snapshot),
    result,
    reason,
    faults: faults.map(faultFields),
  };
}

function formatReport(report: VerifyReport): string {
  const { snapshots } = report;
  const count = (result: VerifiedSnapshot["result"]) =>
    snapshots.filter((snapshot) => snapshot.result === result).length;
  const failed = snapshots.filter(({ result }) => result === "failed")
    .map(({ snapshot }) => `  ${qualifiedName(snapshot)}\n`);
  return (failed.length === 0
    ? ""
    : `Failed to verify the following snapshots:\n${failed.join("")}`) +
    `verified ${report.chunkCount} chunks, ${formatHumanBytes(report.storedBytes)} stored, ` +
    `${formatHumanBytes(report.plainBytes)} plain; ${count("ok")} snapshots are good, ` +
    `${count("failed")} failed, ${count("skipped")} skipped\n`;
}
