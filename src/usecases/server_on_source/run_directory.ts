/**
 * The directory of a server that is started for a while: mount point, changes, socket, rules.
 *
 * It is locked (flock(2)) by the process that made it, as long as that lives. So one that is not
 * locked is left over from a process that was killed, and the next run removes it (`leftovers.ts`).
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { EntryType } from "#src/bytes/file_type.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { listOpenDirectory } from "#src/io/files/open_directory.ts";
import { isStillNamed, writeNewFile } from "#src/io/files/whole_file.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";

/** Where such directories are made unless told otherwise: not emptied by a restart of the host. */
export const WORK_DIRECTORY = "/var/tmp";

const NAME_PREFIX = "pbkfs-run-";
const NAME_PATTERN = /^pbkfs-run-[0-9a-f]{8}$/u;
const ATTEMPTS_MAX = 20;
/** Length of `sun_path`, with a NUL at its end, less the name of the socket. */
const SOCKET_DIRECTORY_LENGTH_MAX = 108 - 1 - "/.s.PGSQL.5432".length;
/** Whoever can reach the socket is let in: that is the server's user alone. */
const ACCESS_RULES = "local all all trust\n";

/** See the head of the module. */
export class RunDirectory {
  /** Absolute. */
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Makes one, and holds its lock.
   *
   * @param workPath absolute path of the directory that it is made in
   * @throws {UsageError} when the path is too long for a socket
   * @throws {OsError}
   */
  static create(workPath: string): RunDirectory {
    for (let attempt = 1;; attempt++) {
      const path = `${workPath}/${NAME_PREFIX}${randomHex()}`;
      if (byteLength(`${path}/socket`) > SOCKET_DIRECTORY_LENGTH_MAX) {
        throw new UsageError(`Cannot use "${workPath}" for the socket of a server: too long`, {
          hint: `Give a directory whose path has at most ${
            SOCKET_DIRECTORY_LENGTH_MAX - `/${NAME_PREFIX}00000000/socket`.length
          } bytes`,
          option: "workPath",
        });
      }
      const result = host.mkdir(path, 0o700);
      if (result === -host.Errno.EEXIST && attempt < ATTEMPTS_MAX) continue;
      host.unwrap(result, "make directory", path);
      const directory = lockRunDirectory(path);
      // Somebody who removes what is left over was faster.
      if (directory !== undefined) return directory;
    }
  }

  /** For `lockRunDirectory()`. */
  static locked(path: string, fd: number): RunDirectory {
    return new RunDirectory(path, fd);
  }

  /** Where the source is mounted. */
  get mountPath(): string {
    return `${this.path}/mnt`;
  }

  /** Where changes go that nobody wants to keep. */
  get diffPath(): string {
    return `${this.path}/diff`;
  }

  /** Directory of the socket. */
  get socketPath(): string {
    return `${this.path}/socket`;
  }

  /** Rules of access. */
  get hbaPath(): string {
    return `${this.path}/pg_hba.conf`;
  }

  /** Through which the server gets WAL. */
  get walPath(): string {
    return `${this.path}/wal`;
  }

  /** Makes what is in it. @param owner the server's user, when that is not this one */
  furnish(owner: Owner | undefined): void {
    if (owner !== undefined) host.unwrap(host.chmod(this.path, 0o711), "chmod", this.path);
    host.unwrap(host.mkdir(this.mountPath, 0o755), "make directory", this.mountPath);
    for (const path of [this.socketPath, this.walPath]) {
      host.unwrap(host.mkdir(path, 0o700), "make directory", path);
      if (owner !== undefined) {
        host.unwrap(host.lchown(path, owner.uid, owner.gid), "chown", path);
      }
    }
    writeNewFile(this.hbaPath, new TextEncoder().encode(ACCESS_RULES), {
      mode: 0o644,
      isModeExact: true,
      isDurable: false,
    });
  }

  /**
   * Removes it with everything in it, and gives up the lock. Nothing may be mounted there any more.
   *
   * @throws {StateError} `locked`, `busy`
   * @throws {OsError}
   */
  remove(): void {
    if (hostFiles.status(this.diffPath, false)?.kind === "directory") {
      cleanupDiffDirectory(this.diffPath, { force: true });
      host.unwrap(host.rmdir(this.diffPath), "remove directory", this.diffPath);
    }
    for (const path of [this.socketPath, this.walPath]) removeFlatDirectory(path);
    removeIfThere(host.unlink(this.hbaPath), "remove", this.hbaPath);
    removeIfThere(host.rmdir(this.mountPath), "remove directory", this.mountPath);
    removeIfThere(host.rmdir(this.path), "remove directory", this.path);
    this.release();
  }

  /** Gives up the lock. */
  release(): void {
    host.close(this.#fd);
  }
}

/**
 * Locks a directory of this user that nobody holds.
 *
 * @returns undefined when somebody holds it, it is another user's, or it is gone
 */
export function lockRunDirectory(path: string): RunDirectory | undefined {
  const { RDONLY, DIRECTORY, NOFOLLOW } = host.OpenFlag;
  const fd = host.open(path, RDONLY | DIRECTORY | NOFOLLOW);
  if (fd < 0) return undefined;
  const stat = new host.HostStat();
  const isOurs = host.statFd(fd, stat) === 0 && stat.uid === host.getEffectiveUid();
  const isLocked = isOurs && host.flock(fd, host.Lock.EXCLUSIVE | host.Lock.NONBLOCKING) === 0;
  if (isLocked && isStillNamed(fd, path)) return RunDirectory.locked(path, fd);
  host.close(fd);
  return undefined;
}

/** Paths of the directories that are in `workPath`, in use or not. */
export function listRunDirectories(workPath: string): string[] {
  const fd = host.open(workPath, host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY);
  if (fd < 0) return [];
  try {
    return listOpenDirectory(fd, workPath).filter(({ name }) => NAME_PATTERN.test(name))
      .map(({ name }) => `${workPath}/${name}`).sort();
  } finally {
    host.close(fd);
  }
}

function randomHex(): string {
  return crypto.getRandomValues(new Uint8Array(4)).toHex();
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Another user may have put anything into it: links are not followed, and nothing is deeper. */
function removeFlatDirectory(path: string): void {
  const { RDONLY, DIRECTORY, NOFOLLOW } = host.OpenFlag;
  const fd = host.open(path, RDONLY | DIRECTORY | NOFOLLOW);
  if (fd === -host.Errno.ENOENT) return;
  host.unwrap(fd, "open", path);
  try {
    for (const { name, type } of listOpenDirectory(fd, path)) {
      const inner = `${path}/${name}`;
      const result = type === EntryType.DIRECTORY
        ? host.rmdirAt(fd, name)
        : host.unlinkAt(fd, name);
      removeIfThere(result, "remove", inner);
    }
  } finally {
    host.close(fd);
  }
  removeIfThere(host.rmdir(path), "remove directory", path);
}

function removeIfThere(result: number, call: string, path: string): void {
  if (result !== -host.Errno.ENOENT) host.unwrap(result, call, path);
}
