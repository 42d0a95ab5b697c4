/**
 * The manifests of a datastore's snapshots.
 *
 * @module
 */

import { Errno, IntegrityError, located, OsError, StateError } from "#src/errors.ts";
import type { BlobCodec } from "../crypt/blob_codec.ts";
import { BLOB_DATA_SIZE_MAX, ENCRYPTED_BLOB_HEADER_SIZE } from "../format/blob.ts";
import { formatManifest, type Manifest, MANIFEST_NAME, parseManifest } from "../format/manifest.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { requireSnapshot } from "./store_places.ts";

/** Largest blob file that is read. */
export const BLOB_FILE_SIZE_MAX = BLOB_DATA_SIZE_MAX + ENCRYPTED_BLOB_HEADER_SIZE;

/**
 * Reads the manifest of a finished snapshot. Its signature is not looked at.
 *
 * @throws {StateError} `not-found` when the snapshot does not exist or is unfinished
 * @throws {IntegrityError} when its CRC is wrong or it is that of another snapshot
 * @throws {FormatError | LimitError | OsError}
 */
export function loadManifest(store: OpenStore, snapshot: SnapshotId): Manifest {
  const path = store.storage.files.pathOf(manifestName(snapshot));
  const bytes = readManifestFile(store, snapshot);
  const manifest = located(
    () => ({ path }),
    () => parseManifest(store.codec.decodeBytes(bytes, { isEncrypted: false })),
  );
  const { type, id } = snapshot.group;
  if (
    manifest.backupType !== type || manifest.backupId !== id ||
    manifest.backupTime !== snapshot.time
  ) {
    throw new IntegrityError("Cannot use manifest: it is that of another snapshot", { path });
  }
  return manifest;
}

function readManifestFile(
  store: OpenStore,
  snapshot: SnapshotId,
): Uint8Array<ArrayBuffer> {
  try {
    return store.storage.files.read(manifestName(snapshot), BLOB_FILE_SIZE_MAX);
  } catch (error) {
    if (!(error instanceof OsError) || error.errno !== Errno.ENOENT) throw error;
    requireSnapshot(store, snapshot);
    throw new StateError(
      "not-found",
      `Cannot open snapshot: snapshot ${formatSnapshot(snapshot)} is unfinished`,
      { cause: error },
    );
  }
}

/**
 * Changes what is not signed of a manifest: nobody sees anything but the old one or the new one.
 *
 * @throws {StateError} `locked`, or `not-found`
 * @throws {IntegrityError | FormatError | OsError}
 */
export function updateManifest(
  store: OpenStore,
  snapshot: SnapshotId,
  change: (manifest: Manifest) => Manifest,
): void {
  requireSnapshot(store, snapshot);
  const { files, locks } = writableParts(store);
  const lock = locks.lockManifest(snapshot);
  try {
    const manifest = change(loadManifest(store, snapshot));
    files.replace(manifestName(snapshot), encodeManifest(store.codec, manifest));
  } finally {
    lock.release();
  }
}

/** The file of a manifest. */
export function encodeManifest(codec: BlobCodec, manifest: Manifest): Uint8Array<ArrayBuffer> {
  return codec.encodeBytes(formatManifest(manifest), { compress: true });
}

/**
 * Makes a snapshot a finished one: its manifest becomes visible when everything else is as durable
 * as the store's policy demands.
 *
 * @throws {OsError}
 */
export function finishSnapshot(
  store: OpenStore,
  snapshot: SnapshotId,
  manifestFile: Uint8Array<ArrayBuffer>,
): void {
  writableParts(store).files.commit(manifestName(snapshot), manifestFile);
}

function manifestName(snapshot: SnapshotId): string {
  return `${snapshotDirectory(snapshot)}/${MANIFEST_NAME}`;
}
