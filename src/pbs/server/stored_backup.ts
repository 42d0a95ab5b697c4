/**
 * A backup session's snapshot, in the store thread that has it locked.
 *
 * What the client sends as manifest waits under another name until the backup is finished: so there
 * is nothing that could be taken for a finished snapshot before. The file is there from the start,
 * and tells what a killed server has left from what others are writing.
 *
 * @module
 */

import { sha256Of } from "#src/codecs/hashing.ts";
import { Failure, StateError } from "#src/errors.ts";
import { currentSeconds } from "../clock.ts";
import type { EncodedIndex } from "../format/chunk_index.ts";
import { sealDynamicIndex } from "../format/dynamic_index.ts";
import { sealFixedIndex } from "../format/fixed_index.ts";
import {
  type Manifest,
  MANIFEST_NAME,
  parseManifest,
  type UploadStatistics,
  verifyStateOf,
  withUploadStatistics,
} from "../format/manifest.ts";
import {
  groupDirectory,
  type GroupId,
  snapshotDirectory,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import { writeIndex } from "../snapshots/index_file.ts";
import {
  BLOB_FILE_SIZE_MAX,
  encodeManifest,
  finishSnapshot,
  loadManifest,
} from "../snapshots/manifest_file.ts";
import { type OpenStore, writableParts } from "../snapshots/open_store.ts";
import { PENDING_MANIFEST, removeSnapshotDirectory } from "../snapshots/snapshot_removal.ts";
import { lastFinished, lockNewGroup } from "../snapshots/snapshot_start.ts";
import { isFinished, listSnapshots } from "../snapshots/store_listing.ts";
import { requireNamespace, requireSnapshot } from "../snapshots/store_places.ts";
import type { IndexClose, WriterKind } from "./index_writers.ts";
import { isOwnedBy } from "./ownership.ts";
import { Refusal } from "./refusal.ts";
import type { Held } from "./store_in_thread.ts";
import { checkUploadedBlob } from "./uploaded_chunk.ts";

/** What is to be backed up, by whom. */
export interface BackupStart {
  readonly group: GroupId;
  readonly time: number;
  readonly authId: string;
  readonly isBenchmark: boolean;
}

const BENCHMARK_GROUP = { type: "host", id: "benchmark" };
const UUID_SIZE = 16;

/** See the head of the module. */
export class StoredBackup implements Held {
  /** The snapshot that unchanged chunks may be taken over from, with its manifest. */
  readonly base: { readonly id: SnapshotId; readonly manifest: Manifest } | undefined;
  readonly #store: OpenStore;
  readonly #id: SnapshotId;
  readonly #isBenchmark: boolean;
  readonly #locks: Held[];
  #uploads: UploadStatistics | undefined;

  private constructor(
    store: OpenStore,
    id: SnapshotId,
    isBenchmark: boolean,
    locks: Held[],
    base: StoredBackup["base"],
  ) {
    this.#store = store;
    this.#id = id;
    this.#isBenchmark = isBenchmark;
    this.#locks = locks;
    this.base = base;
  }

  /**
   * Starts a snapshot: the checks and locks of the reference, in its order.
   *
   * @throws {Refusal} with the reference's words
   * @throws {OsError}
   */
  static start(store: OpenStore, request: BackupStart): StoredBackup {
    const { group, time, authId, isBenchmark } = request;
    const { files, locks, writerLock } = writableParts(store);
    const held: Held[] = [];
    try {
      refusing("not-found", 404, "namespace not found", () => requireNamespace(store, group.ns));
      checkBenchmark(request);
      // From before the base is read: its chunks must not be collected.
      held.push(
        refusing("locked", 400, "unable to get shared lock - EAGAIN: Try again", () => {
          return writerLock.acquireShared();
        }),
      );
      const path = files.pathOf(groupDirectory(group));
      const locked = `unable to acquire lock on backup group directory "${path}" - ` +
        "another backup is already running";
      const ownerFor = (owner: string | undefined) => checkOwner(owner, authId);
      held.push(
        refusing("locked", 400, locked, () => lockNewGroup(store, group, ownerFor).lock),
      );
      const last = lastFinished(store, group);
      const base = last && openBase(store, last, held);
      if (last !== undefined && time <= last.time) {
        throw new Refusal(400, "backup timestamp is older than last backup.");
      }
      removeDead(store, group);
      const id = { group, time };
      if (!files.makeFolder(snapshotDirectory(id))) {
        throw new Refusal(400, "backup directory already exists.");
      }
      const backup = new StoredBackup(store, id, isBenchmark, held, base);
      try {
        held.push(locks.lockSnapshot(id, "exclusive"));
        files.replace(`${snapshotDirectory(id)}/${PENDING_MANIFEST}`, new Uint8Array(0));
      } catch (error) {
        backup.release();
        throw error;
      }
      return backup;
    } catch (error) {
      releaseAll(held);
      throw error;
    }
  }

  /**
   * Writes an index.
   *
   * @param bytes all of it but the header
   * @throws {Refusal} when its checksum is not what the client says
   * @throws {OsError}
   */
  writeIndex(
    kind: WriterKind,
    name: string,
    bytes: Uint8Array<ArrayBuffer>,
    csum: IndexClose["csum"],
  ): void {
    const uuid = crypto.getRandomValues(new Uint8Array(UUID_SIZE));
    const seal = kind === "dynamic" ? sealDynamicIndex : sealFixedIndex;
    const index: EncodedIndex = seal(bytes, { uuid, ctime: currentSeconds() }, sha256Of);
    if (index.checksum !== csum) {
      throw new Refusal(400, `${kind} writer '${name}' close failed - got unexpected checksum`);
    }
    writeIndex(this.#store, this.#id, name, index.bytes);
  }

  /**
   * Writes a blob as it is; the manifest becomes one when the backup is finished.
   *
   * @throws {Refusal} when it is damaged
   * @throws {OsError}
   */
  writeBlob(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    checkUploadedBlob(bytes);
    const { files, locks } = writableParts(this.#store);
    const folder = snapshotDirectory(this.#id);
    if (this.#uploads === undefined) {
      return files.replace(`${folder}/${name === MANIFEST_NAME ? PENDING_MANIFEST : name}`, bytes);
    }
    // Finished, and so not ours alone any more.
    const lock = locks.lockSnapshot(this.#id, "exclusive");
    try {
      if (name === MANIFEST_NAME) this.#commit(bytes, this.#uploads);
      else files.replace(`${folder}/${name}`, bytes);
    } finally {
      lock.release();
    }
  }

  /**
   * Makes the snapshot a finished one; from then on others may use it.
   *
   * @throws {Refusal} when there is no manifest, or none of this snapshot; nothing has changed then
   * @throws {OsError}
   */
  finish(uploads: UploadStatistics): void {
    const { files } = writableParts(this.#store);
    const pending = `${snapshotDirectory(this.#id)}/${PENDING_MANIFEST}`;
    const bytes = files.read(pending, BLOB_FILE_SIZE_MAX);
    if (bytes.length === 0) {
      const path = files.pathOf(`${snapshotDirectory(this.#id)}/${MANIFEST_NAME}`);
      throw new Refusal(
        400,
        `unable to update manifest blob - unable to load blob '"${path}"' - ` +
          "No such file or directory (os error 2)",
      );
    }
    if (this.base !== undefined) requireSnapshot(this.#store, this.base.id);
    this.#commit(bytes, uploads);
    this.#uploads = uploads;
    files.remove(pending);
    if (!this.#isBenchmark) releaseAll(this.#locks);
  }

  /** Removes the snapshot unless it is finished, and gives back what is locked. */
  release(): void {
    try {
      const isKept = this.#uploads !== undefined && !this.#isBenchmark;
      if (!isKept && this.#locks.length > 0) removeBackup(this.#store, this.#id);
    } finally {
      releaseAll(this.#locks);
    }
  }

  #commit(bytes: Uint8Array<ArrayBuffer>, uploads: UploadStatistics): void {
    const manifest = this.#parse(bytes);
    const file = encodeManifest(this.#store.codec, withUploadStatistics(manifest, uploads));
    finishSnapshot(this.#store, this.#id, file);
  }

  #parse(bytes: Uint8Array<ArrayBuffer>): Manifest {
    let manifest: Manifest;
    try {
      manifest = parseManifest(this.#store.codec.decodeBytes(bytes, { isEncrypted: false }));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Refusal(400, `unable to update manifest blob - ${error.message}`);
    }
    const { group, time } = this.#id;
    const { backupType, backupId, backupTime } = manifest;
    if (backupType === group.type && backupId === group.id && backupTime === time) return manifest;
    throw new Refusal(400, "unable to update manifest blob - it is that of another snapshot");
  }
}

function checkBenchmark({ group: { type, id }, isBenchmark }: BackupStart): void {
  const isOfBenchmark = type === BENCHMARK_GROUP.type && id === BENCHMARK_GROUP.id;
  if (isOfBenchmark === isBenchmark) return;
  throw new Refusal(
    400,
    isBenchmark
      ? "unable to run benchmark in a group other than host/benchmark"
      : "unable to run benchmark without --benchmark flags",
  );
}

/** Whose a group is from now on. */
function checkOwner(owner: string | undefined, authId: string): string {
  if (owner === undefined || isOwnedBy(owner, authId)) return owner ?? authId;
  throw new Refusal(400, `backup owner check failed (${authId} != ${owner})`);
}

/** The last snapshot as base, locked; undefined where it can be none. */
function openBase(store: OpenStore, last: SnapshotId, held: Held[]): StoredBackup["base"] {
  const { locks } = writableParts(store);
  const lock = refusing(
    "locked",
    400,
    "unable to acquire lock on the last snapshot - it is being changed",
    () => locks.lockSnapshot(last, "shared"),
  );
  held.push(lock);
  try {
    const manifest = loadManifest(store, last);
    if (verifyStateOf(manifest)?.state !== "failed") return { id: last, manifest };
  } catch (error) {
    // Damaged: then everything is sent anew.
    if (!(error instanceof Failure)) throw error;
  }
  held.splice(held.indexOf(lock), 1);
  lock.release();
  return undefined;
}

/** Removes what servers have left of backups in a group when they were killed. */
function removeDead(store: OpenStore, group: GroupId): void {
  const { files, locks } = writableParts(store);
  for (const id of listSnapshots(store, group)) {
    if (isFinished(store, id)) continue;
    const names = files.list(snapshotDirectory(id)).map(({ name }) => name);
    // Empty: killed before the first file was there, or after the last one was removed.
    if (names.length > 0 && !names.some((name) => name.startsWith(PENDING_MANIFEST))) continue;
    try {
      const lock = locks.lockSnapshot(id, "exclusive");
      removeBackup(store, id);
      lock.release();
    } catch (error) {
      // Somebody does so already.
      if (!(error instanceof StateError)) throw error;
    }
  }
}

/** Removes a snapshot that is locked. */
function removeBackup(store: OpenStore, id: SnapshotId): void {
  removeSnapshotDirectory(store, id);
  writableParts(store).locks.forgetSnapshot(id);
}

/** Runs something, and refuses with a text where its state does not allow it. */
function refusing<Result>(
  code: StateError["code"],
  status: number,
  text: string,
  run: () => Result,
): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof StateError && error.code === code) throw new Refusal(status, text);
    throw error;
  }
}

function releaseAll(locks: Held[]): void {
  for (const lock of locks.splice(0).reverse()) lock.release();
}
