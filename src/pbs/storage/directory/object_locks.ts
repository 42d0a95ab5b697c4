/**
 * Locks on groups, snapshots and manifests: flock(2) on their directories, and on a server's lock
 * files where its name for the store is known. Needs FFI.
 *
 * @module
 */

import { isStillNamed, removeFile } from "#src/io/files/whole_file.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { MANIFEST_NAME } from "../../format/manifest.ts";
import {
  formatGroup,
  formatSnapshot,
  groupDirectory,
  type GroupId,
  snapshotDirectory,
  type SnapshotId,
} from "../../format/snapshot_path.ts";
import type { LockKind, ObjectLock, StorageLocks } from "../locks.ts";
import { isLockTaken, tryFor } from "./lock_waiting.ts";
import {
  groupLockPath,
  manifestLockPath,
  MOVE_JOURNAL,
  oldManifestLockPath,
  snapshotLockPath,
} from "./server_lock_paths.ts";
import type { StoreFiles } from "./store_files.ts";

/** Permissions of a server's lock files. */
const LOCK_FILE_MODE = 0o660;

/** How objects are locked. */
export interface ObjectLocksOptions {
  readonly storePath: string;
  readonly files: StoreFiles;
  /** Folder with the server's lock files of this store; undefined where there is none. */
  readonly serverPath: string | undefined;
  /** How long locks that others hold are waited for. */
  readonly timeoutMs: number;
}

/** Takes locks of one datastore's objects. */
export class ObjectLocks implements StorageLocks {
  readonly #options: ObjectLocksOptions;

  /** Takes no lock yet. */
  constructor(options: ObjectLocksOptions) {
    this.#options = options;
  }

  lockGroup(group: GroupId): ObjectLock {
    const path = `${this.#options.storePath}/${groupDirectory(group)}`;
    const locks = [() => lockDirectory(path, "exclusive")];
    locks.push(...this.#serverLocks("exclusive", groupLockPath(group)));
    return this.#acquire(`group ${formatGroup(group)}`, locks);
  }

  lockSnapshot(snapshot: SnapshotId, kind: LockKind): ObjectLock {
    const path = `${this.#options.storePath}/${snapshotDirectory(snapshot)}`;
    const locks = [() => lockDirectory(path, kind)];
    locks.push(...this.#serverLocks(kind, snapshotLockPath(snapshot)));
    return this.#acquire(`snapshot ${formatSnapshot(snapshot)}`, locks);
  }

  lockManifest(snapshot: SnapshotId): ObjectLock {
    const directory = `${this.#options.storePath}/${snapshotDirectory(snapshot)}`;
    // No server looks at this one: it keeps our own processes apart where no server's name is
    // known.
    const locks = [() => lockExisting(`${directory}/${MANIFEST_NAME}`, "exclusive", 0)];
    locks.push(
      ...this.#serverLocks("exclusive", manifestLockPath(snapshot), oldManifestLockPath(snapshot)),
    );
    return this.#acquire(`manifest of ${formatSnapshot(snapshot)}`, locks);
  }

  /**
   * Locks the server's journal of moves, without which it moves nothing.
   *
   * @returns the lock and the journal's path; undefined where no server's lock files are known
   * @throws {StateError} `locked`
   * @throws {OsError}
   */
  lockMoveJournal(): (ObjectLock & { readonly path: string }) | undefined {
    const { serverPath } = this.#options;
    if (serverPath === undefined) return undefined;
    const path = `${serverPath}/${MOVE_JOURNAL}`;
    return { ...this.#acquire(`"${path}"`, this.#serverLocks("exclusive", MOVE_JOURNAL)), path };
  }

  forgetGroup(group: GroupId): void {
    this.#remove(groupLockPath(group));
  }

  forgetSnapshot(snapshot: SnapshotId): void {
    this.#remove(snapshotLockPath(snapshot));
    this.#remove(manifestLockPath(snapshot));
    this.#remove(oldManifestLockPath(snapshot));
  }

  #remove(relativePath: string): void {
    const { serverPath } = this.#options;
    if (serverPath !== undefined) removeFile(`${serverPath}/${relativePath}`);
  }

  #serverLocks(kind: LockKind, ...relativePaths: string[]): (() => number | undefined)[] {
    const { serverPath, files } = this.#options;
    if (serverPath === undefined) return [];
    return relativePaths.map((relativePath) => () => {
      const parts = `${serverPath}/${relativePath}`.slice(1).split("/");
      files.makeDirectories("", parts.slice(0, -1).join("/"));
      const path = `/${parts.join("/")}`;
      files.createEmpty(path, LOCK_FILE_MODE);
      return lockFile(path, kind);
    });
  }

  /** Takes all of the locks or none. */
  #acquire(what: string, locks: readonly (() => number | undefined)[]): ObjectLock {
    const held: number[] = [];
    const release = () => {
      for (const fd of held.splice(0)) {
        // A process that is being started has the descriptor, too, until it runs.
        host.flock(fd, host.Lock.UNLOCK);
        host.close(fd);
      }
    };
    const isAcquired = tryFor(this.#options.timeoutMs, () => {
      try {
        for (const lock of locks) {
          const fd = lock();
          if (fd === undefined) {
            release();
            return undefined;
          }
          held.push(fd);
        }
        return true;
      } catch (error) {
        release();
        throw notFoundOr(error, what);
      }
    });
    if (isAcquired) return { release };
    throw new StateError("locked", `Cannot lock ${what}: it is in use by another process`, {
      hint: "Try again when the other backup, restore or removal has ended",
    });
  }
}

function lockDirectory(path: string, kind: LockKind): number | undefined {
  return lockExisting(path, kind, host.OpenFlag.DIRECTORY);
}

/** A lock file that is not there has just been removed by somebody who had the lock. */
function lockFile(path: string, kind: LockKind): number | undefined {
  try {
    return lockExisting(path, kind, 0);
  } catch (error) {
    if (error instanceof host.OsError && error.errno === host.Errno.ENOENT) return undefined;
    throw error;
  }
}

/** @returns a descriptor with the lock; undefined when somebody else has it */
function lockExisting(path: string, kind: LockKind, flags: number): number | undefined {
  const { RDONLY, NOFOLLOW, NONBLOCK } = host.OpenFlag;
  const fd = host.unwrap(host.open(path, RDONLY | NOFOLLOW | NONBLOCK | flags), "open", path);
  const operation = kind === "shared" ? host.Lock.SHARED : host.Lock.EXCLUSIVE;
  const result = host.flock(fd, operation | host.Lock.NONBLOCKING);
  if (result === 0 && isStillNamed(fd, path)) return fd;
  host.close(fd);
  if (result < 0 && !isLockTaken(result)) host.unwrap(result, "lock", path);
  return undefined;
}

function notFoundOr(error: unknown, what: string): unknown {
  const isMissing = error instanceof host.OsError &&
    (error.errno === host.Errno.ENOENT || error.errno === host.Errno.ENOTDIR);
  if (!isMissing) return error;
  return new StateError("not-found", `Cannot find ${what}`, { cause: error });
}
