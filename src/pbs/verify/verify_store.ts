/**
 * Verification of snapshots: every chunk and every file is read and compared with what the
 * manifests promise.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { requireFfi } from "#src/io/ffi_permission.ts";
import type { Datastore } from "../datastore.ts";
import { type GroupId, ROOT_NAMESPACE, type SnapshotId } from "../format/snapshot_path.ts";
import { SnapshotVerifier } from "./snapshot_verifier.ts";
import type { VerifyOptions, VerifyReport, VerifyScope } from "./report.ts";

export type {
  VerifiedSnapshot,
  VerifyFault,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  VerifyScope,
} from "./report.ts";

/**
 * Verifies snapshots: groups by type and id, the newest snapshot of each first. Corrupt chunks are
 * renamed and results are saved where the datastore is open for writing.
 *
 * @throws {StateError} `not-found` when what is asked for does not exist
 * @throws {UsageError} when FFI is not allowed
 * @throws {OsError} when a directory cannot be listed
 */
export function verifyStore(
  datastore: Datastore,
  scope: VerifyScope = { kind: "namespace" },
  options: VerifyOptions = {},
): VerifyReport {
  requireFfi("verify a datastore");
  datastore.requireOwnChunks();
  const snapshots = snapshotsOf(datastore, scope);
  const ignoreVerified = options.ignoreVerified ?? scope.kind !== "snapshot";
  const run = new SnapshotVerifier(datastore, { ...options, ignoreVerified });
  try {
    const results = snapshots.map((snapshot, done) => run.verify(snapshot, done, snapshots.length));
    const isKeyGiven = options.crypts !== undefined && options.crypts.length > 0;
    if (isKeyGiven && !run.isKeyUsed && results.some(({ result }) => result !== "skipped")) {
      options.onWarning?.(
        "The given key is that of none of the snapshots: no signature was checked, and of encrypted chunks only the checksums",
      );
    }
    return {
      snapshots: results,
      ...run.chunkCounts,
      isClean: results.every(({ result }) => result !== "failed"),
    };
  } finally {
    run.close();
  }
}

function snapshotsOf(datastore: Datastore, scope: VerifyScope): SnapshotId[] {
  switch (scope.kind) {
    case "snapshot":
      return [datastore.snapshotInfo(scope.snapshot).id];
    case "group":
      return [...datastore.groupInfo(scope.group).snapshots];
    case "namespace": {
      const { namespace = ROOT_NAMESPACE, isRecursive = true } = scope;
      const namespaces = isRecursive ? datastore.namespaces(namespace) : [namespace];
      return namespaces
        .flatMap((ns) =>
          ns === namespace ? datastore.groups(ns) : present(() => datastore.groups(ns))
        )
        .filter((group) => !isBenchmark(group))
        .flatMap((group) => present(() => datastore.snapshots(group)).reverse());
    }
  }
}

/** What `list` gives; nothing where somebody else has removed it meanwhile. */
function present<Item>(list: () => Item[]): Item[] {
  try {
    return list();
  } catch (error) {
    if (error instanceof StateError && error.code === "not-found") return [];
    throw error;
  }
}

/** Chunks of the group that a client's benchmark writes to are no backups. */
function isBenchmark({ type, id }: GroupId): boolean {
  return type === "host" && id === "benchmark";
}
