/**
 * New files and directories of a datastore, with the owner and the permissions that a server
 * expects. Needs FFI.
 *
 * @module
 */

import { type NewFileOptions, replaceFile, writeNewFile } from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";
import type { FileOwner, SyncLevel } from "./directory_options.ts";

/** Permissions of chunks, indexes, blobs and other files. */
export const FILE_MODE = 0o644;
/** Permissions of directories of groups and snapshots. */
export const DIRECTORY_MODE = 0o755;

/** Permissions that this process does not give to what it creates. */
export function processUmask(): number {
  // There is no other call to ask for it.
  const umask = host.setUmask(0o022);
  host.setUmask(umask);
  return umask;
}

/**
 * Whom new files in a store of `owner` must be given to: root has to, since a server cannot touch
 * foreign ones. Undefined where nothing has to be done.
 */
export function neededOwner(owner: FileOwner): FileOwner | undefined {
  const isRoot = host.getEffectiveUid() === 0;
  return isRoot && (owner.uid !== 0 || owner.gid !== 0) ? owner : undefined;
}

/** Makes files and directories. */
export class StoreFiles {
  readonly #owner: FileOwner | undefined;
  #knownUmask: number | undefined;

  /** `owner` is that of `.chunks`. */
  constructor(owner: FileOwner, readonly syncLevel: SyncLevel) {
    this.#owner = neededOwner(owner);
  }

  /** Asked for at the first file only: to ask means to change it for a moment, for all threads. */
  get #umask(): number {
    return this.#knownUmask ??= processUmask();
  }

  /** Makes a directory. @returns false when the name is taken @throws {OsError} */
  makeDirectory(path: string, mode = DIRECTORY_MODE): boolean {
    const result = host.mkdir(path, mode);
    if (result === -host.Errno.EEXIST) return false;
    host.unwrap(result, "create", path);
    if ((this.#umask & mode) !== 0) {
      host.unwrap(host.chmod(path, mode), "chmod", path);
    }
    this.#giveAway(host.At.FDCWD, path, path);
    return true;
  }

  /** Makes a directory and those above it down to `base`, which is there. @throws {OsError} */
  makeDirectories(base: string, relativePath: string): void {
    let path = base;
    for (const name of relativePath.split("/")) {
      path += `/${name}`;
      this.makeDirectory(path);
    }
  }

  /** Makes an empty file unless there is one. @throws {OsError} */
  createEmpty(path: string, mode = FILE_MODE): void {
    const { RDWR, CREAT, EXCL, NOFOLLOW } = host.OpenFlag;
    const fd = host.open(path, RDWR | CREAT | EXCL | NOFOLLOW, mode);
    if (fd === -host.Errno.EEXIST) return;
    host.unwrap(fd, "create", path);
    try {
      if ((this.#umask & mode) !== 0) host.unwrap(host.fchmod(fd, mode), "chmod", path);
      this.#giveAway(fd, "", path);
    } finally {
      host.close(fd);
    }
  }

  /**
   * Gives a name new content: by a temporary name, so that there is all of it or nothing. Durable
   * where the store syncs every file.
   *
   * @throws {OsError}
   */
  replaceFile(path: string, temporaryPath: string, bytes: Uint8Array<ArrayBuffer>): void {
    replaceFile(path, temporaryPath, bytes, this.#newFile(this.syncLevel === "file"));
  }

  /**
   * Writes a file that replaces one of the same name; removed again when that fails. @throws
   * {OsError}
   */
  writeTemporary(path: string, bytes: Uint8Array<ArrayBuffer>, isDurable: boolean): void {
    writeNewFile(path, bytes, this.#newFile(isDurable));
  }

  #newFile(isDurable: boolean): NewFileOptions {
    const isModeExact = (this.#umask & FILE_MODE) !== 0;
    return { mode: FILE_MODE, isModeExact, owner: this.#owner, isDurable };
  }

  #giveAway(directory: number, name: string, path: string): void {
    if (this.#owner === undefined) return;
    const { uid, gid } = this.#owner;
    host.unwrap(host.chownAt(directory, name, uid, gid), "chown", path);
  }
}

/** Whether a call failed since there is no room. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof host.OsError &&
    (error.errno === host.Errno.ENOSPC || error.errno === host.Errno.EDQUOT);
}
