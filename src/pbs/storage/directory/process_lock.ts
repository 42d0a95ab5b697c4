/**
 * The lock between processes on a datastore's `.lock`: shared by writers, exclusive for garbage
 * collection. Needs FFI.
 *
 * @module
 */

import { LimitError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { lockRecord, RecordLock } from "#ffi/libc/record_lock.ts";
import { acquireLock, releaseLock } from "#src/threads/lock.ts";
import { currentSeconds } from "../../clock.ts";
import type { HeldLock, WriterLock } from "../locks.ts";
import { isLockTaken, tryFor } from "./lock_waiting.ts";
import { FILE_MODE, type StoreFiles } from "./store_files.ts";

/** Name of the lock file in a datastore. */
export const LOCK_FILE = ".lock";

/** Holders that share a lock in one process. */
const SHARED_MAX = 1024;
/** No holder of the memory does more than a few system calls. */
const GUARD_TIMEOUT_MS = 10_000;

/** Cells at the beginning of a {@link LockMemory}, 32 bits each. */
const Cell = {
  /** A lock of `threads/lock.ts`. */
  GUARD: 0,
  /** The one descriptor that this process has of the lock file while it holds the lock, plus 1. */
  DESCRIPTOR: 1,
  /** 1 while somebody has it alone. */
  EXCLUSIVE: 2,
  /** How many share it. */
  SHARED: 3,
} as const;
const CELL_COUNT = 4;

/**
 * Who in this process holds the lock of one lock file. In shared memory: a descriptor is the
 * process's, not the thread's.
 */
class LockMemory {
  readonly cells: Int32Array<SharedArrayBuffer>;
  /** Start of each holder that shares it, in unix seconds; 0 where a slot is free. */
  readonly starts: Float64Array<SharedArrayBuffer>;

  constructor(readonly memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory, 0, CELL_COUNT);
    this.starts = new Float64Array(memory, CELL_COUNT * 4, SHARED_MAX);
  }

  /** Runs something while no other thread looks at the memory. */
  guarded<Result>(run: () => Result): Result {
    if (!acquireLock(this.cells, Cell.GUARD, GUARD_TIMEOUT_MS)) {
      throw new StateError("locked", "Cannot lock datastore: another thread hangs");
    }
    try {
      return run();
    } finally {
      releaseLock(this.cells, Cell.GUARD);
    }
  }

  get descriptor(): number {
    return this.cells[Cell.DESCRIPTOR]! - 1;
  }

  set descriptor(fd: number) {
    this.cells[Cell.DESCRIPTOR] = fd + 1;
  }

  get isExclusive(): boolean {
    return Atomics.load(this.cells, Cell.EXCLUSIVE) !== 0;
  }

  set isExclusive(value: boolean) {
    Atomics.store(this.cells, Cell.EXCLUSIVE, value ? 1 : 0);
  }

  get sharedCount(): number {
    return this.cells[Cell.SHARED]!;
  }

  set sharedCount(count: number) {
    this.cells[Cell.SHARED] = count;
  }
}

/** Memory by which threads are one holder of a store's lock; posted to each. */
export function createLockMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELL_COUNT * 4 + SHARED_MAX * 8);
}

/** Of this thread, by device and inode: a store may be opened by several paths. */
const memories = new Map<string, LockMemory>();

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
  readonly #shared: LockMemory | undefined;

  /**
   * Opens no file yet: the lock file is made when the lock is taken.
   *
   * @param memory what threads share that are one holder; undefined: this thread is on its own
   */
  constructor(
    storePath: string,
    files: StoreFiles,
    timeoutMs: number,
    memory: SharedArrayBuffer | undefined,
  ) {
    this.path = `${storePath}/${LOCK_FILE}`;
    this.#files = files;
    this.#timeoutMs = timeoutMs;
    this.#shared = memory && new LockMemory(memory);
  }

  acquireShared(): HeldLock {
    return this.#acquire(RecordLock.READ, "another process collects garbage");
  }

  acquireExclusive(): HeldLock {
    return this.#acquire(RecordLock.WRITE, "another process writes to it or collects garbage");
  }

  get isHeldExclusively(): boolean {
    return this.#memory()?.isExclusive === true;
  }

  get oldestSharedStart(): number | undefined {
    const memory = this.#memory();
    return memory?.guarded(() => {
      const oldest = Math.min(...memory.starts.filter((start) => start > 0));
      return oldest === Infinity ? undefined : oldest;
    });
  }

  #memory(): LockMemory | undefined {
    if (this.#shared !== undefined) return this.#shared;
    const stat = new host.HostStat();
    const result = host.lstat(this.path, stat);
    return result < 0 ? undefined : memories.get(keyOf(stat));
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
    const opened = this.#open();
    let isKept = false;
    try {
      const memory = this.#shared ?? memoryOf(keyOf(opened.stat));
      return memory.guarded(() => {
        const isExclusive = type === RecordLock.WRITE;
        if (isExclusive && memory.isExclusive) return undefined;
        const fd = memory.descriptor < 0 ? opened.fd : memory.descriptor;
        // Whoever has it exclusively needs no more; whoever shares it, neither.
        const isHeld = memory.isExclusive || (!isExclusive && memory.sharedCount > 0);
        const result = isHeld ? 0 : lockRecord(fd, type);
        if (result < 0) {
          if (isLockTaken(result)) return undefined;
          throw new host.OsError(-result, "lock", this.path);
        }
        isKept = fd === opened.fd;
        memory.descriptor = fd;
        return isExclusive ? holdAlone(memory) : holdShared(memory);
      });
    } finally {
      if (!isKept) host.close(opened.fd);
    }
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

function memoryOf(key: string): LockMemory {
  const known = memories.get(key);
  if (known !== undefined) return known;
  const memory = new LockMemory(createLockMemory());
  memories.set(key, memory);
  return memory;
}

function holdAlone(memory: LockMemory): HeldLock {
  memory.isExclusive = true;
  return held(memory, () => {
    memory.isExclusive = false;
  });
}

function holdShared(memory: LockMemory): HeldLock {
  const slot = memory.starts.indexOf(0);
  if (slot < 0) {
    throw new LimitError(`Cannot lock datastore: it is in use ${SHARED_MAX} times by this process`);
  }
  const lock = held(memory, () => {
    memory.starts[slot] = 0;
    memory.sharedCount--;
  });
  memory.starts[slot] = lock.startTime;
  memory.sharedCount++;
  return lock;
}

function held(memory: LockMemory, leave: () => void): HeldLock {
  let isHeld = true;
  return {
    startTime: currentSeconds(),
    release() {
      if (!isHeld) return;
      isHeld = false;
      memory.guarded(() => {
        leave();
        giveBack(memory);
      });
    },
  };
}

/** Gives back what nobody of this process needs any more. */
function giveBack(memory: LockMemory): void {
  if (memory.isExclusive) return;
  const fd = memory.descriptor;
  if (memory.sharedCount > 0) {
    lockRecord(fd, RecordLock.READ);
    return;
  }
  memory.descriptor = -1;
  // A process that is being started has the descriptor, too, until it runs: closing it would leave
  // the lock that long.
  lockRecord(fd, RecordLock.UNLOCK);
  host.close(fd);
}

function keyOf(stat: host.HostStat): string {
  return `${stat.device}:${stat.ino}`;
}
