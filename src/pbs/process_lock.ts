/**
 * The lock between processes on a datastore's `.lock`: shared by writers, exclusive for garbage collection.
 *
 * @module
 */

/** A held lock. */
export interface HeldLock {
  /** Unix seconds at which it was taken. */
  readonly startTime: number;
  /** Gives it back; the second time does nothing. */
  release(): void;
}

const notYet = (): never => {
  throw new Error("not written yet");
};

/**
 * The lock of one datastore in this process. Within the process shared and exclusive holders may coexist, as in the
 * server: then garbage collection spares what is younger than {@link oldestSharedStart}.
 */
export class ProcessLock {
  private constructor(readonly path: string) {}

  /** For writers. @throws {StateError} `locked` when another process collects garbage for too long */
  acquireShared(): HeldLock {
    return notYet();
  }

  /** For garbage collection. @throws {StateError} `locked` when another process writes or collects for too long */
  acquireExclusive(): HeldLock {
    return notYet();
  }

  /** When the oldest of this process's shared holders took the lock, in unix seconds; undefined without any. */
  get oldestSharedStart(): number | undefined {
    return notYet();
  }
}
