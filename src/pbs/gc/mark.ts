/**
 * The first phase of garbage collection: every chunk that an index names is touched.
 *
 * A server moves snapshots, groups and namespaces meanwhile: what was not yet marked by its old
 * path has to be by its new one. So indexes are listed again until nothing was moved while they
 * were, and all of them are marked; the last time while nobody else can move anything.
 *
 * @module
 */

import { DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import type { ChunkStorage } from "../storage/storage.ts";
import { scanIndex } from "../reading/index_scan.ts";
import type { GarbageSupport, IndexFile } from "../storage/garbage_support.ts";

/** Memory for digests that were touched already, which need not be touched again. */
const TOUCHED_BUDGET = 96 << 20;
/** Who moves things as often as this while they are listed does not stop. */
const LISTINGS_MAX = 100;

/** What the mark phase found. */
export interface MarkResult {
  readonly indexFileCount: number;
  readonly indexDataBytes: number;
}

/** How marking goes on. */
export interface MarkOptions {
  /** What the datastore is called in messages. */
  readonly place: string;
  /** Called before every index file; what it throws ends the run. */
  readonly onIndex: (done: number, total: number) => void;
  readonly onWarning: (message: string) => void;
}

/**
 * Touches all chunks that indexes of a storage name.
 *
 * @throws {FormatError | IntegrityError | OsError} when an index or a directory cannot be read:
 *   then nothing may be removed
 * @throws {StateError} `not-found` when a symbolic link leads nowhere: what it led to may need
 *   chunks. `busy` when things are moved all the time, `locked` when a server moves something for
 *   too long
 */
export function markChunks(
  garbage: GarbageSupport,
  chunks: ChunkStorage,
  options: MarkOptions,
): MarkResult {
  const marking = new Marking(garbage, chunks, options);
  marking.markAll();
  garbage.whileNothingMoves((moved) => {
    marking.markMoved(moved);
    marking.markAll();
  });
  return marking.result();
}

class Marking {
  readonly #garbage: GarbageSupport;
  readonly #chunks: ChunkStorage;
  readonly #options: MarkOptions;
  readonly #touched = new DigestTable(TOUCHED_BUDGET);
  /** Sizes of the streams of indexes that were marked, by their identities. */
  readonly #marked = new Map<string, number>();

  constructor(garbage: GarbageSupport, chunks: ChunkStorage, options: MarkOptions) {
    this.#garbage = garbage;
    this.#chunks = chunks;
    this.#options = options;
  }

  /**
   * Marks what is found, until all that a complete listing has found is marked. What comes later
   * was moved from where it was listed, and is marked, or is new, and so are its chunks.
   */
  markAll(): void {
    for (let count = 0; count < LISTINGS_MAX; count++) {
      const { indexes, isComplete } = this.#garbage.listIndexes();
      const found = indexes.filter(({ identity }) => !this.#marked.has(identity));
      const total = this.#marked.size + found.length;
      let areAllMarked = true;
      for (const [done, index] of found.entries()) {
        this.#options.onIndex(total - found.length + done, total);
        const size = this.#mark(index);
        if (size === undefined) areAllMarked = false;
        else this.#marked.set(index.identity, size);
      }
      if (found.length > 0) this.#options.onIndex(total, total);
      if (isComplete && areAllMarked) return;
    }
    throw new StateError(
      "busy",
      `Cannot collect garbage: "${this.#options.place}" changes too often`,
      {
        hint: "Try again when fewer snapshots are moved or removed",
      },
    );
  }

  /** Marks what was moved, where it still is. */
  markMoved(indexes: readonly IndexFile[]): void {
    for (const index of indexes) this.#mark(index);
  }

  result(): MarkResult {
    const indexDataBytes = this.#marked.values().reduce((sum, size) => sum + size, 0);
    return { indexFileCount: this.#marked.size, indexDataBytes };
  }

  /** @returns the size of the index's stream; undefined when the file is gone */
  #mark(index: IndexFile): number | undefined {
    const { path } = index;
    try {
      return scanIndex(index.open(), path, (bytes, offset) => {
        if (this.#touched.get(bytes, offset) !== 0) return;
        this.#touch(bytes.subarray(offset, offset + DIGEST_SIZE), path);
        this.#touched.set(bytes, offset, 1);
      }).size;
    } catch (error) {
      if (isVanished(error, path)) return undefined;
      throw error;
    }
  }

  #touch(digestBytes: Uint8Array<ArrayBuffer>, indexPath: string): void {
    const digest = digestOf(digestBytes);
    if (this.#chunks.touch(digest) >= 0) return;
    this.#options.onWarning(`Chunk ${digest} is missing, which "${indexPath}" needs`);
    // The corrupt forms are kept as long as somebody misses the chunk.
    this.#chunks.quarantine?.touch(digest);
  }
}

/** A snapshot may be removed or moved while others are marked; nothing else may be missing. */
function isVanished(error: unknown, path: string): boolean {
  return error instanceof host.OsError && error.errno === host.Errno.ENOENT && error.path === path;
}
