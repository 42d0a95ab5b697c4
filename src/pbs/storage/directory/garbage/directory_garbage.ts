/**
 * How garbage is collected in a local directory, whose file system tells when a chunk was used
 * last. Needs FFI.
 *
 * @module
 */

import { openNativeSource } from "#src/io/files/native_source.ts";
import type {
  GarbageSupport,
  IndexFile,
  IndexListing,
  SweepOptions,
  SweepResult,
} from "../../garbage_support.ts";
import type { DirectoryChunks } from "../directory_chunks.ts";
import type { ObjectLocks } from "../object_locks.ts";
import { checkAccessTimes, fileSystemTime } from "./access_time_check.ts";
import { listIndexes } from "./index_listing.ts";
import { drainMoveJournal } from "./move_journal.ts";
import { sweepChunks } from "./sweep.ts";

/** See {@link GarbageSupport}. */
export class DirectoryGarbage implements GarbageSupport {
  readonly #storePath: string;
  readonly #chunks: DirectoryChunks;
  readonly #locks: ObjectLocks | undefined;

  /** That of the datastore at `storePath`. @param locks those that a server respects */
  constructor(storePath: string, chunks: DirectoryChunks, locks: ObjectLocks | undefined) {
    this.#storePath = storePath;
    this.#chunks = chunks;
    this.#locks = locks;
  }

  checkUseTimes(): void {
    checkAccessTimes(this.#chunks, () => Date.now() / 1000);
  }

  currentSeconds(): number {
    return fileSystemTime(this.#chunks);
  }

  listIndexes(): IndexListing {
    return listIndexes(this.#storePath);
  }

  whileNothingMoves(mark: (moved: readonly IndexFile[]) => void): void {
    drainMoveJournal(this.#locks, (paths) => {
      mark(paths.map((path) => ({ path, open: () => openNativeSource(path) })));
    });
  }

  sweep(options: SweepOptions): SweepResult {
    return sweepChunks(this.#chunks.path, options);
  }
}
