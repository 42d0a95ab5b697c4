/**
 * Decoded chunks within a budget of memory.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import { LruCache } from "#src/bytes/lru_cache.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ChunkPart, DecodedChunks } from "./chunked_source.ts";
import type { ChunkSource } from "../ports.ts";
import type { ReadAhead } from "./read_ahead.ts";

/** Larger buffers are kept for the next chunk: to allocate them means to clear them. */
const REUSED_SIZE_MIN = 256 << 10;
/** Buffers that are kept. */
const SPARE_COUNT_MAX = 2;

/** A decoded chunk. The buffer may be longer. */
interface CachedChunk {
  readonly buffer: NativeBuffer;
  readonly size: number;
}

/** Loads chunks and remembers those used last. */
export class ChunkCache implements DecodedChunks {
  readonly #source: ChunkSource;
  readonly #allocate: (size: number) => NativeBuffer;
  readonly #chunks: LruCache<ChunkDigest, CachedChunk>;
  readonly #spare: NativeBuffer[] = [];
  readonly #ahead: ReadAhead | undefined;

  /**
   * @param budgetBytes the chunk used last is kept whatever its size
   * @param ahead what may have loaded a chunk already
   */
  constructor(
    source: ChunkSource,
    allocate: (size: number) => NativeBuffer,
    budgetBytes: number,
    ahead?: ReadAhead,
  ) {
    this.#ahead = ahead;
    this.#source = source;
    this.#allocate = allocate;
    this.#chunks = new LruCache(budgetBytes, ({ buffer }) => this.#keepSpare(buffer));
  }

  /** Bytes of memory in use. */
  get sizeBytes(): number {
    return this.#chunks.weight;
  }

  /**
   * The decoded bytes of a chunk, valid until the next call; undefined when they would have to be
   * loaded.
   */
  peek(digest: ChunkDigest, size: number): NativeBuffer | undefined {
    const known = this.#chunks.get(digest);
    // An index may name a chunk with two sizes: one of them is wrong, and loading tells which.
    return known?.size === size ? known.buffer : undefined;
  }

  /**
   * The decoded bytes of a chunk, valid until the next call. @throws what {@link ChunkSource.load}
   * throws
   */
  get(digest: ChunkDigest, size: number): NativeBuffer {
    const known = this.peek(digest, size);
    if (known !== undefined) return known;
    const buffer = this.#ahead?.take(digest, size) ?? this.#load(digest, size);
    this.#chunks.set(digest, { buffer, size }, buffer.bytes.length);
    return buffer;
  }

  copy({ digest, size, from, count }: ChunkPart, target: NativeBuffer, start: number): void {
    const known = this.peek(digest, size);
    // A whole chunk goes where it is wanted: to keep a copy would cost more than it is likely to
    // save. Native codecs need an address for that.
    const goesThere = count === size && target.address !== 0n && this.#ahead?.has(digest) !== true;
    if (known === undefined && goesThere) return this.#source.load(digest, size, target, start);
    const { bytes } = known ?? this.get(digest, size);
    target.bytes.set(bytes.subarray(from, from + count), start);
  }

  /** A buffer for a chunk that does not come by {@link get}, or is loaded before. */
  take(size: number): NativeBuffer {
    // Twice as large is still better than to clear a new one.
    const index = this.#spare.findIndex(({ bytes }) =>
      bytes.length >= size && bytes.length <= 2 * size
    );
    if (index >= 0) return this.#spare.splice(index, 1)[0]!;
    return this.#allocate(size);
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks.clear();
    this.#spare.length = 0;
  }

  #load(digest: ChunkDigest, size: number): NativeBuffer {
    const buffer = this.take(size);
    try {
      this.#source.load(digest, size, buffer, 0);
    } catch (error) {
      this.#keepSpare(buffer);
      throw error;
    }
    return buffer;
  }

  #keepSpare(buffer: NativeBuffer): void {
    if (buffer.bytes.length < REUSED_SIZE_MIN) return;
    this.#spare.push(buffer);
    // Dozens of them would wait for the garbage collector.
    if (this.#spare.length > SPARE_COUNT_MAX) freeMemory(this.#spare.shift()!.bytes);
  }
}
