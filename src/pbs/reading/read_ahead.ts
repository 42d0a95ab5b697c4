/**
 * A thread that loads chunks before they are wanted.
 *
 * The reader's thread says which chunks come next and where their bytes shall be put. Whichever
 * thread is free loads them: the reader's own helps while it waits. What could not be loaded it
 * loads again by itself, and so finds out what is wrong.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { type SpawnThread, Threads } from "#src/threads/thread.ts";
import type { ChunkSource } from "../ports.ts";
import { type StoredChunks, withChunkSource } from "./local_chunk_source.ts";
import { ReadAheadQueue } from "./read_ahead_queue.ts";

/** Role of threads that read ahead. */
export const READ_AHEAD_ROLE = "read-ahead";

/** Before so many bytes were read in order, a thread costs more than it helps. */
const START_SIZE_DEFAULT = 24 << 20;

/** Sent to a thread once. */
export interface ReadAheadStart extends StoredChunks {
  readonly queue: SharedArrayBuffer;
}

interface Expected {
  readonly digest: ChunkDigest;
  readonly size: number;
  readonly buffer: NativeBuffer;
  /** Of its job. */
  readonly number: number;
}

/** Buffers that a thread may still write to which did not end. */
const abandoned: NativeBuffer[] = [];

/** How chunks are read ahead. */
export interface ReadAheadOptions {
  readonly source: StoredChunks;
  /** Loads chunks in the reader's thread. */
  readonly chunks: ChunkSource;
  /** Starts a thread with this name, from a module that serves {@link READ_AHEAD_ROLE}. */
  readonly spawn: SpawnThread;
  readonly allocate: (size: number) => NativeBuffer;
  /** The thread is started when so many bytes were read in order. Default: 24 MiB. */
  readonly startBytes?: number | undefined;
  /** A thread that loads nothing for so long is given up. Default: 600,000. */
  readonly timeoutMs?: number | undefined;
}

/** Chunks that are being read ahead, for the reader's thread. */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #queue: ReadAheadQueue;
  /** Oldest first. */
  readonly #expected: Expected[] = [];
  #threads: Threads | undefined;
  #expectedBytes = 0;
  #isClosed = false;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
    this.#queue = new ReadAheadQueue(undefined, options.timeoutMs);
  }

  /** Whether it has been asked for a chunk. */
  has(digest: ChunkDigest): boolean {
    return this.#expected.some((expected) => expected.digest === digest);
  }

  /**
   * Says that a chunk will be wanted soon.
   *
   * @param announce called before the thread is told to load it
   * @returns false when nothing was done about it
   */
  expect(digest: ChunkDigest, size: number, announce: () => void): boolean {
    this.#expectedBytes += size;
    const { startBytes = START_SIZE_DEFAULT } = this.#options;
    if (this.#isClosed || this.#expectedBytes < startBytes || this.has(digest)) return false;
    if (!this.#makeRoom()) return false;
    this.#threads ??= new Threads(
      this.#options.spawn,
      READ_AHEAD_ROLE,
      1,
      { ...this.#options.source, queue: this.#queue.shared } satisfies ReadAheadStart,
    );
    announce();
    const buffer = this.#options.allocate(size);
    this.#expected.push({ digest, size, buffer, number: this.#queue.add(digest, size, buffer) });
    return true;
  }

  /**
   * The bytes of a chunk that it was asked for; undefined when there are none, or something is
   * wrong with it.
   */
  take(digest: ChunkDigest, size: number): NativeBuffer | undefined {
    const index = this.#expected.findIndex((expected) => expected.digest === digest);
    if (index < 0) return undefined;
    const { buffer, size: expectedSize, number } = this.#expected[index]!;
    try {
      this.#queue.finish(number, (cell) => this.#queue.load(cell, this.#options.chunks));
    } catch {
      // The thread does not answer, and is not waited for again: the reader goes on alone.
      this.#end(0);
      return undefined;
    }
    this.#expected.splice(index, 1);
    return this.#queue.takeOut(number) && size === expectedSize ? buffer : undefined;
  }

  /** Ends the thread. */
  close(): void {
    this.#end(this.#options.timeoutMs);
  }

  #end(timeoutMs: number | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.stop();
    const expected = this.#expected.splice(0);
    if (this.#threads?.end(timeoutMs) !== false) return;
    abandoned.push(...expected.map(({ buffer }) => buffer));
  }

  /**
   * Forgets the oldest chunk, for which nobody came, if its place is needed. @returns whether there
   * is room
   */
  #makeRoom(): boolean {
    if (!this.#queue.isFull) return true;
    const { number } = this.#expected[0]!;
    if (!this.#queue.isAnswered(number)) return false;
    this.#queue.takeOut(number);
    this.#expected.shift();
    return !this.#queue.isFull;
  }
}

/** Loads chunks until there are no more. What a thread with {@link READ_AHEAD_ROLE} does. */
export function readAhead({ queue: shared, ...source }: ReadAheadStart): void {
  const queue = new ReadAheadQueue(shared);
  withChunkSource(source, (chunks) => queue.serve((cell) => queue.load(cell, chunks)));
}
