/**
 * Garbage collection of a datastore: removes chunks that no index names.
 *
 * @module
 */

import type { Datastore } from "./datastore.ts";
import type { GcStatus } from "./gc_status.ts";

/** How far a garbage collection is. */
export type GcProgress =
  /** Index files whose chunks were marked, of those found. */
  | { readonly phase: "mark"; readonly done: number; readonly total: number }
  /** Chunk directories swept, of all; files looked at so far. */
  | {
    readonly phase: "sweep";
    readonly done: number;
    readonly total: number;
    readonly chunkCount: number;
  };

/** How garbage is collected. */
export interface GarbageCollectionOptions {
  /**
   * Chunks are kept for so long after their last use. At least what the file system's mount needs to note an access: a day
   * with `relatime`. Default: 1445, as a server has it.
   */
  readonly keepMinutes?: number;
  /** Whether it is tried first that the file system keeps access times. Default: true. */
  readonly checkAccessTimes?: boolean;
  /** Auth id in the name of the task. Default: `root@pam`. */
  readonly authId?: string;
  /** Name of the store in the name of the task. Default: the last part of its path. */
  readonly storeName?: string;
  /** Asked all the time whether to go on; what it throws ends the run. An AbortSignal is one. */
  readonly signal?: { throwIfAborted(): void };
  readonly onProgress?: (progress: GcProgress) => void;
  /** Told of what is unusual but no reason to stop, such as a chunk that is missing. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Marks what the indexes name, then removes chunks that were not used for long, and writes `.gc-status`.
 *
 * @throws {StateError} `locked` when another process writes to the datastore or collects garbage in it
 * @throws {FormatError | IntegrityError | OsError} when an index cannot be read: then nothing is removed
 */
export function collectGarbage(
  _datastore: Datastore,
  _options: GarbageCollectionOptions = {},
): GcStatus {
  throw new Error("not written yet");
}

/** What the last garbage collection found. @throws {FormatError | OsError} */
export function readGcStatus(_datastorePath: string): GcStatus {
  throw new Error("not written yet");
}
