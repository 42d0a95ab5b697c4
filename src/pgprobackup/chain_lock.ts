/**
 * pg_probackup's own read lock on the backups of a chain: while it is held, `merge`, `delete` and
 * retention wait for a minute and then leave the backups alone; `restore`, `validate` and further
 * mounts hold it at the same time.
 *
 * In a backup's directory:
 *
 * | file | content |
 * |---|---|
 * | `backup.pid` | the process that changes the backup, made with O_EXCL; readers hold it while they enter themselves |
 * | `backup_ro.pid` | the processes that read the backup, one a line; replaced by way of `backup_ro.pidtmp` |
 *
 * Locks are process ids: that of a process that is gone is ignored, and removed by the next process
 * that takes or frees a lock. So nothing has to be repaired after a kill. Ids say nothing in
 * another PID namespace or on another host.
 *
 * @module
 */

import { Failure, OsError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { sleep } from "#src/threads/waiting.ts";
import type { Chain, ChainMember } from "./chain.ts";

const { Errno, OpenFlag } = host;

const WRITER_FILE = "backup.pid";
const READERS_FILE = "backup_ro.pid";
const READERS_TEMPORARY_FILE = "backup_ro.pidtmp";

/** Far more than the readers of a backup take. */
const LOCK_FILE_SIZE_MAX = 1 << 16;
const FILE_MODE = 0o600;

const WAIT_MAX_MS = 5000;
const PAUSE_MS = 50;

/** The process that a lock is entered for, and the owner of lock files. */
export interface LockReader {
  /**
   * A process that lives as long as the lock is to be held, and that the catalog's owner may
   * signal.
   */
  readonly pid: number;
  /** Owner of the files that root makes. */
  readonly uid: number;
  /** Group of the files that root makes. */
  readonly gid: number;
}

/** Read locks on all backups of a chain, held until `release()` or the end of the process. */
export class ChainLock {
  readonly #directories: readonly string[];
  readonly #reader: LockReader;
  /** Use {@link lockChain}, which takes the lock. */

  constructor(directories: readonly string[], reader: LockReader) {
    this.#directories = directories;
    this.#reader = reader;
  }

  /** Frees the lock, as far as it can be; what is left names a process that ends. */
  release(): void {
    for (const directory of this.#directories) {
      try {
        leave(directory, this.#reader);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    }
  }
}

/**
 * Locks all backups of a chain for reading. Waits up to 5 seconds for a process that changes one.
 *
 * @throws {StateError} `locked` when one is being changed
 * @throws {OsError} when the catalog cannot be written. Nothing is locked then
 */
export function lockChain(chain: Chain, reader: LockReader): ChainLock {
  const locked: string[] = [];
  try {
    for (const member of chain) {
      enter(member, reader);
      locked.push(member.directory);
    }
  } catch (error) {
    new ChainLock(locked, reader).release();
    throw error;
  }
  return new ChainLock(locked, reader);
}

function enter(member: ChainMember, reader: LockReader): void {
  const directory = new LockDirectory(member.directory, reader);
  try {
    const holder = directory.takeWriterLock(WAIT_MAX_MS);
    if (holder !== undefined) throw beingChanged(member, holder);
    try {
      const others = directory.readReaders().filter((pid) => pid !== reader.pid && isAlive(pid));
      directory.writeReaders([...others, reader.pid]);
    } finally {
      directory.dropWriterLock();
    }
  } finally {
    directory.close();
  }
}

function leave(path: string, reader: LockReader): void {
  const directory = new LockDirectory(path, reader);
  try {
    // A process that waits for the readers to go has it; it looks at processes, not at the file.
    const isLocked = directory.takeWriterLock(0) === undefined;
    const readers = directory.readReaders();
    if (readers.includes(reader.pid)) {
      directory.writeReaders(readers.filter((pid) => pid !== reader.pid && isAlive(pid)));
    }
    if (isLocked) directory.dropWriterLock();
  } finally {
    directory.close();
  }
}

function beingChanged(member: ChainMember, pid: number): StateError {
  return new StateError(
    "locked",
    `Cannot mount: backup ${member.id} is being changed by process ${pid} ("${member.directory}/` +
      `${WRITER_FILE}")`,
    {
      hint: "Wait until merge, delete or validate has ended, or mount without a lock",
      option: "lock",
    },
  );
}

/** Lock files in the directory of one backup, held open so that its name may change meanwhile. */
class LockDirectory {
  readonly #path: string;
  readonly #reader: LockReader;
  readonly #fd: number;

  constructor(path: string, reader: LockReader) {
    this.#path = path;
    this.#reader = reader;
    this.#fd = host.unwrap(host.open(path, OpenFlag.RDONLY | OpenFlag.DIRECTORY), "open", path);
  }

  close(): void {
    host.close(this.#fd);
  }

  /**
   * Becomes the only one that may change the lock files.
   *
   * @returns undefined, or the live process that is that after `waitMs`
   */
  takeWriterLock(waitMs: number): number | undefined {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const fd = this.#create(WRITER_FILE);
      if (fd !== -Errno.EEXIST) {
        this.#fill(fd, WRITER_FILE, [this.#reader.pid]);
        return undefined;
      }
      const [holder] = this.#readPids(WRITER_FILE);
      const isDead = holder !== undefined && holder !== this.#reader.pid && !isAlive(holder);
      if (isDead || holder === this.#reader.pid) {
        host.unlinkAt(this.#fd, WRITER_FILE);
      } else if (performance.now() >= deadline) {
        // One that is empty for so long was left by a crash.
        if (holder !== undefined || waitMs === 0) return holder ?? 0;
        host.unlinkAt(this.#fd, WRITER_FILE);
      } else {
        sleep(PAUSE_MS);
      }
    }
  }

  dropWriterLock(): void {
    host.unlinkAt(this.#fd, WRITER_FILE);
  }

  readReaders(): number[] {
    return this.#readPids(READERS_FILE);
  }

  writeReaders(pids: readonly number[]): void {
    if (pids.length === 0) {
      host.unlinkAt(this.#fd, READERS_FILE);
      return;
    }
    host.unlinkAt(this.#fd, READERS_TEMPORARY_FILE);
    this.#fill(this.#create(READERS_TEMPORARY_FILE), READERS_TEMPORARY_FILE, pids);
    host.unwrap(
      host.renameAt(this.#fd, READERS_TEMPORARY_FILE, this.#fd, READERS_FILE),
      "rename",
      `${this.#path}/${READERS_TEMPORARY_FILE}`,
    );
  }

  #create(name: string): number {
    const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    return host.openAt(this.#fd, name, flags, FILE_MODE);
  }

  /** Writes ids into a file just made, and closes it. */
  #fill(fd: number, name: string, pids: readonly number[]): void {
    const path = `${this.#path}/${name}`;
    host.unwrap(fd, "make", path);
    try {
      if (host.getEffectiveUid() === 0) {
        host.unwrap(
          host.chownAt(this.#fd, name, this.#reader.uid, this.#reader.gid),
          "chown",
          path,
        );
      }
      const text = new TextEncoder().encode(pids.map((pid) => `${pid}\n`).join(""));
      const { address } = host.nativeBufferOf(text);
      const count = host.unwrap(host.pwriteFully(fd, address, text.length, 0), "write", path);
      if (count < text.length) throw new OsError(Errno.ENOSPC, "write", path);
    } catch (error) {
      host.unlinkAt(this.#fd, name);
      throw error;
    } finally {
      host.close(fd);
    }
  }

  /** Ids in a file; none when it does not exist. Lines that are not ids are skipped. */
  #readPids(name: string): number[] {
    const path = `${this.#path}/${name}`;
    const fd = host.openAt(
      this.#fd,
      name,
      OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK,
    );
    if (fd === -Errno.ENOENT) return [];
    host.unwrap(fd, "open", path);
    try {
      const buffer = host.allocateNativeBuffer(LOCK_FILE_SIZE_MAX);
      const read = host.preadFully(fd, buffer.address, LOCK_FILE_SIZE_MAX, 0);
      const text = new TextDecoder().decode(
        buffer.bytes.subarray(0, host.unwrap(read, "read", path)),
      );
      return text.split("\n").map((line) => parseInt(line, 10))
        .filter((pid) => pid > 0 && pid < 2 ** 31);
    } finally {
      host.close(fd);
    }
  }
}

/** A process that only waits to be reaped reads nothing any more. */
function isAlive(pid: number): boolean {
  if (host.kill(pid, 0) === -Errno.ESRCH) return false;
  const status = host.readSmallFile(`/proc/${pid}/stat`);
  // The state follows the name, which is in parentheses and may hold any.
  return typeof status === "number" || !/^.*\) Z/su.test(new TextDecoder().decode(status));
}
