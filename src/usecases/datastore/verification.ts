/**
 * A verification of snapshots by all processors, which a signal ends in order.
 *
 * @module
 */

import { toRecord } from "#src/errors.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import {
  type VerifiedSnapshot,
  type VerifyFault,
  type VerifyOptions,
  type VerifyReport,
  type VerifyScope,
  verifyStore,
} from "#src/pbs/verify/verify_store.ts";
import { spawnThread } from "../threads.ts";
import { interruptible } from "./interruption.ts";

/** A verification that has come to its end. */
export interface FinishedVerification {
  readonly report: VerifyReport;
  /** Nothing is damaged, and a single snapshot was indeed verified, now or before. */
  readonly isGood: boolean;
}

/**
 * Verifies snapshots.
 *
 * @throws {StateError} `interrupted` after SIGINT, SIGTERM or SIGHUP: results so far are saved
 * @throws what {@link verifyStore} throws
 */
export function verifyDatastore(
  store: Datastore,
  scope: VerifyScope,
  options: Omit<VerifyOptions, "threads" | "signal">,
): FinishedVerification {
  // The main thread takes part.
  const threads = { count: navigator.hardwareConcurrency - 1, spawn: spawnThread };
  const report = interruptible(
    "results of snapshots that were done are saved",
    (signal) => verifyStore(store, scope, { ...options, threads, signal }),
  );
  const isAnswer = scope.kind !== "snapshot" || report.snapshots.every(hasResult);
  return { report, isGood: report.isClean && isAnswer };
}

/** Snapshots in use are passed over; that is no result for who asked for this one. */
function hasResult({ result, reason }: VerifiedSnapshot): boolean {
  return result !== "skipped" || reason === "verified";
}

/** A fault as plain values. */
export function faultRecord({ snapshot, file, message, error, renamedTo }: VerifyFault) {
  return {
    snapshot: qualifiedName(snapshot),
    file: file ?? null,
    code: toRecord(error).code,
    message,
    renamed_to: renamedTo,
  };
}

/** What was found, as plain values. */
export function verificationRecord(report: VerifyReport) {
  return {
    ok: report.isClean,
    chunks: report.chunkCount,
    stored_bytes: report.storedBytes,
    plain_bytes: report.plainBytes,
    bad_chunks: report.badChunkCount,
    snapshots: report.snapshots.map(({ snapshot, result, reason, faults }) => {
      return { snapshot: qualifiedName(snapshot), result, reason, faults: faults.map(faultRecord) };
    }),
  };
}
