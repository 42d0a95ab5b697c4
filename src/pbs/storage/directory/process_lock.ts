/**
 * The lock between processes on a datastore's `.lock`: shared by writers, exclusive for garbage
 * collection. Needs FFI.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { lockRecord, RecordLock } from "#ffi/libc/record_lock.ts";
import { currentSeconds } from "../../clock.ts";
import type { HeldLock, WriterLock } from "../locks.ts";
import { isLockTaken, tryFor } from "./lock_waiting.ts";
import { FILE_MODE, type StoreFiles } from "./store_files.ts";

/** Name of the lock file in a datastore. */
export const LOCK_FILE = ".lock";

/**
 * The one descriptor that this process has of a lock file while it holds the lock, and who holds
 * it.
 */
interface SharedDescriptor {
  readonly fd: number;
  readonly shared: Set<HeldLock>;
  exclusive: HeldLock | undefined;
}

/** By device and inode: a store may be opened by several paths. */
const descriptors = new Map<string, SharedDescriptor>();

/**
 * The lock of one datastore in this process. Within the process shared and exclusive holders may
 * coexist, as in the server: then garbage collection spares what is younger than
 * {@link oldestSharedStart}.
 */
export class ProcessLock implements WriterLock {
  /** The lock file. */
  readonly path: string;
  readonly #files: StoreFiles;
  readonly #timeoutMs: number;

  /** Opens no file yet: the lock file is made when the lock is taken. */
  constructor(storePath: string, files: StoreFiles, timeoutMs: number) {
    this.path = `${storePath}/${LOCK_FILE}`;
    this.#files = files;
    this.#timeoutMs = timeoutMs;
  }

  acquireShared(): HeldLock {
    return this.#acquire(RecordLock.READ, "another process collects garbage");
  }

  acquireExclusive(): HeldLock {
    return this.#acquire(RecordLock.WRITE, "another process writes to it or collects garbage");
  }

  get isHeldExclusively(): boolean {
    return this.#descriptor()?.exclusive !== undefined;
  }

  get oldestSharedStart(): number | undefined {
    const holders = [...this.#descriptor()?.shared ?? []];
    return holders.length === 0 ? undefined : Math.min(...holders.map((lock) => lock.startTime));
  }

  #descriptor(): SharedDescriptor | undefined {
    const stat = new host.HostStat();
    const result = host.lstat(this.path, stat);
    return result < 0 ? undefined : descriptors.get(keyOf(stat));
  }

  #acquire(type: number, reason: string): HeldLock {
    const lock = tryFor(this.#timeoutMs, () => this.#try(type));
    if (lock !== undefined) return lock;
    const directory = this.path.slice(0, -LOCK_FILE.length - 1);
    throw new StateError("locked", `Cannot lock datastore "${directory}": ${reason}`, {
      hint: "Try again when it has ended",
    });
  }

  #try(type: number): HeldLock | undefined {
    const isExclusive = type === RecordLock.WRITE;
    const opened = this.#open();
    const key = keyOf(opened.stat);
    const known = descriptors.get(key);
    if (known !== undefined) host.close(opened.fd);
    const descriptor = known ??
      { fd: opened.fd, shared: new Set<HeldLock>(), exclusive: undefined };
    if (isExclusive && descriptor.exclusive !== undefined) return undefined;
    // Whoever has it exclusively needs no more; whoever shares it, neither.
    const isHeld = descriptor.exclusive !== undefined ||
      (!isExclusive && descriptor.shared.size > 0);
    const result = isHeld ? 0 : lockRecord(descriptor.fd, type);
    if (result < 0) {
      if (known === undefined) host.close(descriptor.fd);
      if (isLockTaken(result)) return undefined;
      throw new host.OsError(-result, "lock", this.path);
    }
    descriptors.set(key, descriptor);
    const lock = {
      startTime: currentSeconds(),
      release: () => release(key, descriptor, lock),
    };
    if (isExclusive) descriptor.exclusive = lock;
    else descriptor.shared.add(lock);
    return lock;
  }

  #open(): { fd: number; stat: host.HostStat } {
    const { RDWR, NOFOLLOW } = host.OpenFlag;
    let fd = host.open(this.path, RDWR | NOFOLLOW, FILE_MODE);
    if (fd === -host.Errno.ENOENT) {
      this.#files.createEmpty(this.path);
      fd = host.open(this.path, RDWR | NOFOLLOW, FILE_MODE);
    }
    host.unwrap(fd, "open", this.path);
    const stat = new host.HostStat();
    const result = host.statFd(fd, stat);
    if (result < 0) {
      host.close(fd);
      host.unwrap(result, "stat", this.path);
    }
    return { fd, stat };
  }
}

function release(key: string, descriptor: SharedDescriptor, lock: HeldLock): void {
  if (descriptor.exclusive === lock) descriptor.exclusive = undefined;
  else if (!descriptor.shared.delete(lock)) return;
  if (descriptor.exclusive !== undefined) return;
  if (descriptor.shared.size > 0) {
    lockRecord(descriptor.fd, RecordLock.READ);
    return;
  }
  descriptors.delete(key);
  // A process that is being started has the descriptor, too, until it runs: closing it would leave
  // the lock that long.
  lockRecord(descriptor.fd, RecordLock.UNLOCK);
  host.close(descriptor.fd);
}

function keyOf(stat: host.HostStat): string {
  return `${stat.device}:${stat.ino}`;
}
