/**
 * The bytes that an index describes, loaded chunk by chunk when they are asked for.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { type ByteSource, checkRead, type KnownZeros } from "#src/io/byte_source.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";
import { ZeroChunks } from "./zero_chunks.ts";

/** Bytes of a chunk: `count` of its `size`, from `from` on. */
export interface ChunkPart {
  readonly digest: ChunkDigest;
  readonly size: number;
  readonly from: number;
  readonly count: number;
}

/** Gives bytes of chunks, which it keeps for a while. */
export interface DecodedChunks {
  /**
   * Copies a part of a chunk to `target.bytes` from `start` on. @throws what
   * {@link ChunkSource.load} throws
   */
  copy(part: ChunkPart, target: NativeBuffer, start: number): void;
}

/** What a {@link ChunkedSource} is made of. */
export interface ChunkedSourceParts {
  readonly index: ChunkIndex;
  /** May be that of other sources too. */
  readonly cache: DecodedChunks;
  /**
   * Is told once of each chunk that will be wanted soon when chunks are read one after the other.
   */
  readonly expect?: (digest: ChunkDigest, size: number) => void;
  /** So many chunks ahead. Default: 1. */
  readonly aheadCount?: number | undefined;
  /** Reads that leave out so many bytes are still in order: others may read these. Default: 0. */
  readonly gapBytes?: number;
  /** Goes into the digests of encrypted chunks. */
  readonly idKey?: Uint8Array | undefined;
}

/** Random access to the stream of an index. */
export class ChunkedSource implements ByteSource {
  readonly size: number;
  readonly zeros: KnownZeros;
  readonly #parts: ChunkedSourceParts;
  /** The chunk of the last read. */
  #position = -1;
  #start = 0;
  #end = 0;
  /** One object for all reads, of which there are many. */
  readonly #part = { digest: "" as ChunkDigest, size: 0, from: 0, count: 0 };
  /** The last chunk that was said to be wanted. */
  #expected = -1;

  constructor(parts: ChunkedSourceParts) {
    this.#parts = parts;
    this.size = parts.index.size;
    this.zeros = new ZeroChunks(parts.index, parts.idKey);
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    checkRead(target, start, size, offset);
    const end = Math.min(offset + size, this.size);
    let done = offset;
    while (done < end) {
      this.#seek(done);
      done += this.#copy(target, start + (done - offset), done, end);
    }
    return Math.max(done - offset, 0);
  }

  close(): void {
    // The chunks belong to the snapshot's cache.
  }

  /** Copies bytes of the present chunk. @returns how many */
  #copy(target: NativeBuffer, start: number, offset: number, end: number): number {
    const part = this.#part;
    part.from = offset - this.#start;
    part.count = Math.min(end, this.#end) - offset;
    this.#parts.cache.copy(part, target, start);
    return part.count;
  }

  /** Makes the chunk with the byte at `offset` the present one. */
  #seek(offset: number): void {
    if (offset >= this.#start && offset < this.#end) return;
    const { index, gapBytes = 0 } = this.#parts;
    const isNext = this.#position >= 0 && offset >= this.#end && offset - this.#end <= gapBytes;
    const position = offset === this.#end && isNext ? this.#position + 1 : index.find(offset);
    this.#position = position;
    this.#start = index.startOf(position);
    this.#end = index.endOf(position);
    this.#part.digest = index.digestOf(position);
    this.#part.size = this.#end - this.#start;
    if (isNext) this.#lookAhead();
    else this.#expected = position;
  }

  #lookAhead(): void {
    const { index, expect, aheadCount = 1 } = this.#parts;
    if (expect === undefined) return;
    const last = Math.min(this.#position + aheadCount, index.count - 1);
    for (let next = Math.max(this.#expected, this.#position) + 1; next <= last; next++) {
      this.#expected = next;
      expect(index.digestOf(next), index.endOf(next) - index.startOf(next));
    }
  }
}
