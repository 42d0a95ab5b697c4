/**
 * Garbage collection of a datastore: removes chunks that no index names.
 *
 * First every chunk that an index names is touched. Then chunks that were not used for a day are
 * removed: a day, since file systems may note the first access of a day only. What a running backup
 * has stored or touched is spared, however long it runs. Backups of other processes cannot run
 * meanwhile; those of this process can, and one that is finished while chunks are marked touches
 * what it names by itself.
 *
 * @module
 */

import { Errno, OsError, UsageError } from "#src/errors.ts";
import type { Datastore } from "../datastore.ts";
import {
  EMPTY_GC_STATUS,
  formatGcStatus,
  GC_STATUS_NAME,
  GC_STATUS_SIZE_MAX,
  type GcStatus,
  parseGcStatus,
} from "./status.ts";
import { markChunks } from "./mark.ts";
import { isDiskFull } from "../storage/directory/store_files.ts";
import { newTask, storeNameOf } from "../task.ts";

/** A day and five minutes. */
const KEEP_MINUTES = 1445;
/** What a running backup used is kept although clocks may differ by so much. */
const WRITER_MARGIN_SECONDS = 300;
/** Progress is told so many times while chunks are swept. */
const SWEEP_REPORTS = 256;

/** How far a garbage collection is. */
export type GcProgress =
  /** Index files whose chunks were marked, of those found. */
  | { readonly phase: "mark"; readonly done: number; readonly total: number }
  /** Steps of the sweep that are done, of all; chunks looked at so far. */
  | {
    readonly phase: "sweep";
    readonly done: number;
    readonly total: number;
    readonly chunkCount: number;
  };

/** How garbage is collected. */
export interface GarbageCollectionOptions {
  /**
   * Chunks are kept for so many minutes after their last use. Not less than what the file system's
   * mount needs to note an access: a day with `relatime`. Default: 1445, as a server has it.
   */
  readonly keepMinutes?: number | undefined;
  /** Whether it is tried first that the file system keeps access times. Default: true. */
  readonly checkAccessTimes?: boolean;
  /** Name of the task. Default: a new one. */
  readonly upid?: string | undefined;
  /** Auth id in the name of the task. Default: `root@pam`. */
  readonly authId?: string;
  /** Name of the store in the name of the task. Default: the last part of its path. */
  readonly storeName?: string | undefined;
  /** Asked all the time whether to go on; what it throws ends the run. An AbortSignal is one. */
  readonly signal?: { throwIfAborted(): void };
  /** Called after each index file, then after each directory of chunks. */
  readonly onProgress?: (progress: GcProgress) => void;
  /** Told of what is unusual but no reason to stop, such as a chunk that is missing. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Marks what the indexes name, then removes chunks that were not used for long, and writes
 * `.gc-status`.
 *
 * @param datastore open for writing
 * @throws {UsageError} when it is not, or its storage does not tell when chunks were used last
 * @throws {StateError} `object-storage` when the directory is a cache of such a datastore; `locked`
 *   when another process writes to the datastore or collects garbage in it; `access-times` when the
 *   file system does not tell when chunks were used last; `not-found` when a symbolic link leads
 *   nowhere; `busy` when snapshots are moved about all the time
 * @throws {FormatError | IntegrityError | OsError} when an index cannot be read: then nothing is
 *   removed
 */
export function collectGarbage(
  datastore: Datastore,
  options: GarbageCollectionOptions = {},
): GcStatus {
  const { keepMinutes = KEEP_MINUTES, onWarning = () => {}, signal } = options;
  if (!Number.isInteger(keepMinutes) || keepMinutes < 0) {
    throw new UsageError(`Cannot keep unused chunks for ${keepMinutes} minutes`);
  }
  if (datastore.access !== "write") {
    throw new UsageError("Cannot collect garbage: the datastore is open for reading only");
  }
  const { garbage, chunks } = datastore.storage;
  if (garbage === undefined) {
    throw new UsageError(
      `Cannot collect garbage in "${datastore.path}": it does not tell when chunks were used last`,
    );
  }
  datastore.requireOwnChunks();
  const { processLock } = datastore;
  const lock = processLock.acquireExclusive();
  try {
    const start = lock.startTime;
    const upid = options.upid ?? newTask(
      "garbage_collection",
      options.storeName ?? storeNameOf(datastore.path),
      options.authId ?? "root@pam",
      start,
    );
    const writerStart = processLock.oldestSharedStart;
    if (options.checkAccessTimes ?? true) garbage.checkUseTimes();
    // What is marked from now on is not older than this, whatever the difference of the clocks.
    const markStart = Math.min(start, garbage.currentSeconds());
    const marked = markChunks(garbage, chunks, {
      place: datastore.path,
      onWarning,
      onIndex: (done, total) => {
        signal?.throwIfAborted();
        options.onProgress?.({ phase: "mark", done, total });
      },
    });
    let nextStep = 0;
    const swept = garbage.sweep({
      cutoff: Math.min(
        markStart - keepMinutes * 60,
        (writerStart ?? Infinity) - WRITER_MARGIN_SECONDS,
      ),
      oldestWriter: writerStart ?? markStart,
      isShared: () => processLock.oldestSharedStart !== undefined,
      onWarning,
      onStep: (done, total, chunkCount) => {
        signal?.throwIfAborted();
        if (done < nextStep) return;
        const step = total / SWEEP_REPORTS;
        nextStep = done - done % step + step;
        options.onProgress?.({ phase: "sweep", done, total, chunkCount });
      },
    });
    const status = { upid, ...marked, ...swept };
    writeStatus(datastore, status, onWarning);
    return status;
  } finally {
    lock.release();
  }
}

/**
 * A disk may be so full that there is no room even after garbage collection, which must still be
 * possible.
 */
function writeStatus(
  datastore: Datastore,
  status: GcStatus,
  onWarning: (message: string) => void,
): void {
  const { files } = datastore.storage;
  try {
    files.replace(GC_STATUS_NAME, new TextEncoder().encode(formatGcStatus(status)));
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    onWarning(`There is no room to save the result in "${files.pathOf(GC_STATUS_NAME)}"`);
  }
}

/**
 * What the last garbage collection of the datastore found; only zeros when there was none.
 *
 * @throws {FormatError | LimitError | OsError} when that cannot be read
 */
export function readGcStatus({ storage: { files } }: Datastore): GcStatus {
  let bytes: Uint8Array;
  try {
    bytes = files.read(GC_STATUS_NAME, GC_STATUS_SIZE_MAX);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return EMPTY_GC_STATUS;
    throw error;
  }
  return parseGcStatus(new TextDecoder().decode(bytes), files.pathOf(GC_STATUS_NAME));
}
