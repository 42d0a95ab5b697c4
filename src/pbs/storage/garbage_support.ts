/**
 * What garbage collection asks of a storage. One can be collected that knows when its chunks were
 * used last, which indexes there are, and what others move meanwhile.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";

/** An index that keeps chunks from being removed. */
export interface IndexFile {
  /** What it is called in messages. */
  readonly path: string;
  /** Opens it. @throws {OsError} ENOENT with {@link path} when it is not there any more */
  open(): ByteSource;
}

/** An index that was found by looking everywhere. */
export interface FoundIndex extends IndexFile {
  /** The same after the index, or a folder that it is in, was moved. */
  readonly identity: string;
}

/** What was found. */
export interface IndexListing {
  /** Those of a group next to each other. */
  readonly indexes: readonly FoundIndex[];
  /**
   * Whether nothing can have been moved meanwhile from what was yet to come to what was done. False
   * where that is not known.
   */
  readonly isComplete: boolean;
}

/** What was found when chunks were swept. */
export interface SweepResult {
  /** Chunks that stay. */
  readonly diskChunks: number;
  /** Bytes of everything that stays and is not pending. */
  readonly diskBytes: number;
  /** Chunks that were removed. */
  readonly removedChunks: number;
  /** Their bytes together with those of removed corrupt chunks. */
  readonly removedBytes: number;
  /** Chunks that nothing uses but are too young to go. */
  readonly pendingChunks: number;
  /** Their bytes together with those of such corrupt chunks. */
  readonly pendingBytes: number;
  /** Chunks found corrupt by verification (`*.bad`) that were removed. */
  readonly removedBad: number;
  /** Such chunks that are too young to go. */
  readonly stillBad: number;
}

/** Figures that a sweep counts up. */
export type SweepCounters = { -readonly [Figure in keyof SweepResult]: number };

/** Before anything was swept. */
export function emptySweepResult(): SweepCounters {
  return {
    diskChunks: 0,
    diskBytes: 0,
    removedChunks: 0,
    removedBytes: 0,
    pendingChunks: 0,
    pendingBytes: 0,
    removedBad: 0,
    stillBad: 0,
  };
}

/** What to remove, and how sweeping goes on. */
export interface SweepOptions {
  /** Unix seconds: what was used last before this is removed. */
  readonly cutoff: number;
  /** Unix seconds: what was used last before this, but not before the cut-off, is pending. */
  readonly oldestWriter: number;
  /** Whether threads of this process may use chunks while they are swept; asked again and again. */
  readonly isShared: () => boolean;
  /**
   * Called again and again with the steps that are done, of all, and the chunks looked at so far;
   * what it throws ends the run.
   */
  readonly onStep: (done: number, total: number, chunkCount: number) => void;
  /** Told of what is unusual but no reason to stop. */
  readonly onWarning: (message: string) => void;
}

/** See the head of the module. A chunk is used by `ChunkStorage.touch`, `write` and `add`. */
export interface GarbageSupport {
  /**
   * Tries whether uses of chunks are noted.
   *
   * @throws {StateError} `access-times` when they are not, or by a clock that is far from the
   *   present
   * @throws {OsError}
   */
  checkUseTimes(): void;
  /** The present by the clock that uses are noted with, in whole unix seconds. @throws {OsError} */
  currentSeconds(): number;
  /**
   * All indexes.
   *
   * @throws {OsError} when a folder cannot be read
   * @throws {StateError} `not-found` when indexes are out of reach that may need chunks
   */
  listIndexes(): IndexListing;
  /**
   * Keeps others from moving indexes while `mark` runs, which is given those that were moved since
   * the last time. They are remembered when `mark` throws.
   *
   * @throws {StateError} `locked` when somebody moves something for too long
   * @throws {LimitError | OsError} and what `mark` throws
   */
  whileNothingMoves(mark: (moved: readonly IndexFile[]) => void): void;
  /** Removes chunks, corrupt ones included, that were not used for long. @throws {OsError} */
  sweep(options: SweepOptions): SweepResult;
}
