/**
 * What has to be done before a snapshot can be written: locks, owner, base, directory; in the order
 * in which a server does it.
 *
 * @module
 */

import { Failure, StateError, UsageError } from "#src/errors.ts";
import { currentSeconds, isAheadOf } from "../clock.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { NewSnapshotOptions } from "../snapshot_types.ts";
import { keyFingerprintOf, verifyStateOf } from "../format/manifest.ts";
import {
  formatGroup,
  formatSnapshot,
  groupDirectory,
  type GroupId,
  isBackupTime,
  snapshotDirectory,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import { LocalSnapshotReader } from "./local_snapshot_reader.ts";
import { StorageDestination } from "./storage_destination.ts";
import { StoredSnapshotWriter } from "./stored_snapshot_writer.ts";
import type { SnapshotReader, SnapshotWriter } from "../ports.ts";
import type { ObjectLock } from "../storage/locks.ts";
import type { FileStorage } from "../storage/storage.ts";
import { FutureSnapshotError } from "../state_errors.ts";
import { removeEmptyGroup, removeSnapshotDirectory } from "./snapshot_removal.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import { isFinished, listSnapshots, OWNER_FILE, readOwner } from "./store_listing.ts";
import { requireNamespace } from "./store_places.ts";

/** Owner of groups where nothing else is said. */
const OWNER_DEFAULT = "root@pam";
/** An auth id: `user@realm` or `user@realm!token`. */
const OWNER_PATTERN = /^[^\s:/\p{Cc}]+@[A-Za-z0-9._-]+(?:![A-Za-z0-9._-]+)?$/u;
/** Another process may remove an empty group each time that it was made. */
const GROUP_ATTEMPTS_MAX = 10;

/**
 * Starts a snapshot.
 *
 * @throws {StateError} `locked`, `not-found` when there is no such namespace, `exists` when the
 *   time is taken or not after the last snapshot's, `future-snapshot` when the last one is ahead of
 *   the clock and no time is given
 * @throws {UsageError} when the options do not fit together
 * @throws {OsError}
 */
export function startSnapshot(store: OpenStore, options: NewSnapshotOptions): SnapshotWriter {
  checkNewSnapshot(options);
  const destination = prepare(
    store,
    options,
    (last) => openBase(store, last, options),
    () => {
      const { group, time } = options;
      // At a time of somebody's choice, what one who was killed has left would be in the way.
      if (time !== undefined) removeLeftovers(store, nextId(store, group, time));
      return makeSnapshotDirectory(store, options);
    },
  );
  return new StoredSnapshotWriter(store.codec, options, destination);
}

/**
 * Starts a snapshot that is copied from elsewhere as it is. What somebody who was killed has left
 * of it is removed first.
 *
 * @throws as {@link startSnapshot}
 */
export function startCopiedSnapshot(store: OpenStore, snapshot: SnapshotId): StorageDestination {
  checkNewSnapshot(snapshot);
  return prepare(store, snapshot, () => undefined, () => {
    removeLeftovers(store, nextId(store, snapshot.group, snapshot.time));
    return makeSnapshotDirectory(store, snapshot);
  });
}

/** Takes the locks, opens the base and makes the directory. */
function prepare(
  store: OpenStore,
  options: NewSnapshotOptions,
  openPrevious: (last: SnapshotId) => LocalSnapshotReader | undefined,
  makeDirectory: () => SnapshotId,
): StorageDestination {
  const { writerLock, locks } = writableParts(store);
  requireNamespace(store, options.group.ns);
  const held: ObjectLock[] = [];
  let previous: LocalSnapshotReader | undefined;
  let isNewGroup = false;
  const release = () => {
    for (const lock of held.splice(0).reverse()) lock.release();
  };
  try {
    // From before the base is read: its chunks must not be collected.
    held.push(writerLock.acquireShared());
    const { lock, isNew } = lockNewGroup(store, options.group, (present) => {
      return checkPresentOwner(options, present);
    });
    held.push(lock);
    isNewGroup = isNew;
    const last = lastFinished(store, options.group);
    previous = last === undefined ? undefined : openPrevious(last);
    const id = makeDirectory();
    held.push(locks.lockSnapshot(id, "exclusive"));
    return new StorageDestination(store, { id, previous, isNewGroup, release });
  } catch (error) {
    previous?.close();
    if (isNewGroup) removeEmptyGroup(store, options.group);
    release();
    throw error;
  }
}

/** Removes an unfinished snapshot that nobody writes any more. The group is locked. */
function removeLeftovers(store: OpenStore, snapshot: SnapshotId): void {
  const { files, locks } = writableParts(store);
  if (files.status(snapshotDirectory(snapshot)) === undefined) return;
  const lock = locks.lockSnapshot(snapshot, "exclusive");
  try {
    removeSnapshotDirectory(store, snapshot);
    locks.forgetSnapshot(snapshot);
  } finally {
    lock.release();
  }
}

/** Checks an auth id. @throws {UsageError} when a text cannot be the owner of a group */
export function checkOwner(owner: string): void {
  if (OWNER_PATTERN.test(owner)) return;
  throw new UsageError(`Cannot use "${owner}" as an owner`, {
    hint: "An owner is like root@pam or user@realm!token",
  });
}

/** Checks what does not fit together. @throws {UsageError} */
export function checkNewSnapshot({ crypt, cryptMode, owner, time }: NewSnapshotOptions): void {
  if (crypt === undefined && cryptMode !== undefined && cryptMode !== "none") {
    throw new UsageError(`Cannot make a snapshot of crypt mode ${cryptMode} without a key`);
  }
  if (time !== undefined && !isBackupTime(time)) {
    throw new UsageError(`Cannot use ${time} as the time of a snapshot`);
  }
  if (owner !== undefined) checkOwner(owner);
}

/**
 * Makes a group where it is not there, and locks it.
 *
 * @param ownerFor is given whose it is, undefined where it is nobody's yet, and says whose it shall
 *   be, or throws
 * @returns whether it was nobody's until now
 * @throws {StateError} `locked`
 * @throws {OsError}
 */
export function lockNewGroup(
  store: OpenStore,
  group: GroupId,
  ownerFor: (present: string | undefined) => string,
): { readonly lock: ObjectLock; readonly isNew: boolean } {
  const { files, locks } = writableParts(store);
  for (let attempt = 1;; attempt++) {
    makeFolders(files, groupDirectory(group));
    try {
      const lock = locks.lockGroup(group);
      try {
        const present = readOwner(store, group);
        const owner = ownerFor(present);
        if (present === undefined) writeOwner(store, group, owner);
        return { lock, isNew: present === undefined };
      } catch (error) {
        lock.release();
        throw error;
      }
    } catch (error) {
      const isGone = error instanceof StateError && error.code === "not-found";
      if (!isGone || attempt >= GROUP_ATTEMPTS_MAX) throw error;
    }
  }
}

/** Makes a folder and those above it. */
function makeFolders(files: FileStorage, name: string): void {
  const names = name.split("/");
  for (let depth = 1; depth <= names.length; depth++) {
    files.makeFolder(names.slice(0, depth).join("/"));
  }
}

/** Whose a group is from now on. @throws {StateError} `foreign-owner` */
function checkPresentOwner(
  { group, owner }: NewSnapshotOptions,
  present: string | undefined,
): string {
  if (present === undefined || owner === undefined || owner === present) {
    return present ?? owner ?? OWNER_DEFAULT;
  }
  throw new StateError(
    "foreign-owner",
    `Cannot back up to ${formatGroup(group)}: it belongs to ${present}, not to ${owner}`,
  );
}

/** Says whom a group belongs to. @throws {OsError} */
export function writeOwner(store: OpenStore, group: GroupId, owner: string): void {
  const text = new TextEncoder().encode(`${owner}\n`);
  writableParts(store).files.replace(`${groupDirectory(group)}/${OWNER_FILE}`, text);
}

/** Opens the last snapshot as base; undefined where it can be none. */
function openBase(
  store: OpenStore,
  last: SnapshotId,
  options: NewSnapshotOptions,
): LocalSnapshotReader | undefined {
  return usableBase(
    options,
    (usedKey) => LocalSnapshotReader.open(store, last, { crypt: usedKey, isBase: true }),
  );
}

/**
 * The last snapshot as base of a new one; undefined where it can be none.
 *
 * @param open is given the key that the new one is made with
 */
export function usableBase<Reader extends SnapshotReader>(
  { crypt, cryptMode }: NewSnapshotOptions,
  open: (crypt: CryptConfig | undefined) => Reader,
): Reader | undefined {
  const isEncrypting = crypt !== undefined && (cryptMode ?? "encrypt") === "encrypt";
  // A key that is not used for the new snapshot is none.
  const usedKey = cryptMode === "none" ? undefined : crypt;
  let reader: Reader;
  try {
    reader = open(usedKey);
  } catch (error) {
    if (error instanceof Failure && error.isTemporary) throw error;
    // Made with another key, or damaged: then everything is stored anew.
    if (error instanceof Failure) return undefined;
    throw error;
  }
  const { manifest } = reader;
  const isUsable = (reader.cryptMode === "encrypt") === isEncrypting &&
    (keyFingerprintOf(manifest) === undefined || usedKey !== undefined) &&
    verifyStateOf(manifest)?.state !== "failed";
  if (isUsable) return reader;
  reader.close();
  return undefined;
}

function makeSnapshotDirectory(
  store: OpenStore,
  { group, time }: NewSnapshotOptions,
): SnapshotId {
  const { files } = writableParts(store);
  for (let id = nextId(store, group, time);; id = { group, time: id.time + 1 }) {
    if (files.makeFolder(snapshotDirectory(id))) return id;
    if (time === undefined) continue;
    throw new StateError("exists", `Cannot make snapshot ${formatSnapshot(id)}: it exists`, {
      hint: "Give a later time, or none",
      option: "time",
    });
  }
}

/**
 * The snapshot that would be started now.
 *
 * @param time unix seconds; undefined: the present, or the next second that is free
 * @throws {StateError} `not-found` when there is no such namespace, `exists` when the time is not
 *   after the last snapshot's, `future-snapshot` when the last one is ahead of the clock and no
 *   time is given
 */
export function plannedSnapshot(
  store: OpenStore,
  group: GroupId,
  time: number | undefined,
): SnapshotId {
  requireNamespace(store, group.ns);
  return nextId(store, group, time);
}

/** The youngest snapshot of a group that has a manifest. @throws {OsError} */
export function lastFinished(store: OpenStore, group: GroupId): SnapshotId | undefined {
  return listSnapshots(store, group).findLast((id) => isFinished(store, id));
}

/** @throws {StateError} when there can be no snapshot of that time after those of the group */
function nextId(store: OpenStore, group: GroupId, time: number | undefined): SnapshotId {
  const last = lastFinished(store, group);
  if (time !== undefined) {
    if (last !== undefined && time <= last.time) throw notAfter({ group, time }, last);
    return { group, time };
  }
  const now = currentSeconds();
  if (last === undefined) return { group, time: now };
  // Dated after it, this one and all to come would be of that future, too, and of a day each when
  // they are pruned.
  if (isAheadOf(last.time, now)) {
    const isFuture = (id: SnapshotId) => isAheadOf(id.time, now) && isFinished(store, id);
    throw new FutureSnapshotError(listSnapshots(store, group).filter(isFuture), now);
  }
  return { group, time: Math.max(now, last.time + 1) };
}

function notAfter(id: SnapshotId, last: SnapshotId): StateError {
  const problem = id.time === last.time
    ? "it exists"
    : `the last snapshot, ${formatSnapshot(last)}, is younger`;
  return new StateError("exists", `Cannot make snapshot ${formatSnapshot(id)}: ${problem}`, {
    hint: "Give a later time, or none",
    option: "time",
  });
}
