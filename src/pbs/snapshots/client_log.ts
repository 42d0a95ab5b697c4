/**
 * The log that a client adds to a snapshot when its backup has ended.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { CLIENT_LOG_NAME } from "../format/manifest.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { requireSnapshot } from "./store_places.ts";

/**
 * Stores a log, as a blob. The first one stays.
 *
 * @throws {StateError} `exists` when there is one; `locked`, or `not-found`
 * @throws {OsError}
 */
export function storeClientLog(
  store: OpenStore,
  snapshot: SnapshotId,
  blob: Uint8Array<ArrayBuffer>,
): void {
  requireSnapshot(store, snapshot);
  const { files, locks } = writableParts(store);
  const snapshotLock = locks.lockSnapshot(snapshot, "shared");
  try {
    // Readers may share the snapshot meanwhile, another log may not come.
    const manifestLock = locks.lockManifest(snapshot);
    try {
      const name = `${snapshotDirectory(snapshot)}/${CLIENT_LOG_NAME}`;
      if (files.status(name) !== undefined) {
        throw new StateError("exists", `Cannot add log to ${formatSnapshot(snapshot)}: it has one`);
      }
      files.replace(name, blob);
    } finally {
      manifestLock.release();
    }
  } finally {
    snapshotLock.release();
  }
}
