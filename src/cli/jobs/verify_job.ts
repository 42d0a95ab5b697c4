/**
 * A verification of snapshots, reported.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { CallParameters } from "#src/pbs/client/network_thread/server_port.ts";
import { groupParameters, snapshotParameters } from "#src/pbs/client/datastore_calls.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { qualifiedName, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import type {
  VerifiedSnapshot,
  VerifyFault,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  VerifyScope,
} from "#src/pbs/verify/verify_store.ts";
import {
  faultRecord,
  verificationRecord,
  verifyDatastore,
} from "#src/usecases/datastore/verification.ts";
import { runServerTask } from "./server_task.ts";
import type { Output } from "../output/output.ts";
import { ProgressLine, type ProgressReport } from "../output/progress_line.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { Terminal } from "../terminal/terminal.ts";

/**
 * Verifies a datastore and prints what was found.
 *
 * @returns whether nothing is damaged, and a single snapshot was indeed verified, now or before
 */
export function reportVerification(
  store: Datastore,
  scope: VerifyScope,
  options: Omit<VerifyOptions, "onProgress" | "onWarning" | "onFault">,
  terminal: Terminal,
  output: Output,
): boolean {
  using line = new ProgressLine(terminal, output);
  const { report, isGood } = verifyDatastore(store, scope, {
    ...options,
    onProgress: (progress) => line.show(() => describeProgress(progress)),
    onWarning: (message) => {
      line.clear();
      output.warning(message);
    },
    onFault: (fault) => {
      line.clear();
      if (output.isJson) output.event({ type: "fault", ...faultRecord(fault) });
      else terminal.out(`${formatFault(fault)}\n`);
    },
  });
  line.clear();
  const record = verificationRecord(report);
  const value = output.form === "jsonl" ? { type: "summary", ...record } : record;
  output.value(value, () => formatReport(report));
  return isGood;
}

/**
 * Has a server verify, and shows what its task says.
 *
 * @returns whether nothing is damaged
 * @throws {UsageError} when it is to do what only who has the chunks can
 */
export function verifyOnServer(
  store: RemoteStore,
  scope: VerifyScope,
  { ignoreVerified, outdatedAfterDays, crypts }: VerifyOptions,
  terminal: Terminal,
  output: Output,
): boolean {
  if (crypts !== undefined) {
    throw new UsageError("Cannot use a key: a server verifies without", { option: "--keyfile" });
  }
  return runServerTask(
    store,
    "verify",
    {
      ...parametersOf(scope),
      "ignore-verified": ignoreVerified ?? scope.kind !== "snapshot",
      "outdated-after": outdatedAfterDays,
    },
    terminal,
    output,
  );
}

function parametersOf(scope: VerifyScope): CallParameters {
  if (scope.kind === "namespace") {
    return scope.namespace === ROOT_NAMESPACE ? {} : { ns: scope.namespace };
  }
  return scope.kind === "group" ? groupParameters(scope.group) : snapshotParameters(scope.snapshot);
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

function formatFault({ snapshot, file, message, renamedTo }: VerifyFault): string {
  const place = qualifiedName(snapshot) + (file === undefined ? "" : `/${file}`);
  const renamed = renamedTo === undefined ? "" : `; renamed to "${renamedTo}"`;
  return `${place}: ${message}${renamed}`;
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
