/**
 * Which chunks of an old payload stream go into a new one, and where.
 *
 * A range of the old stream is reused as the chunks that cover it, whole. What they hold beside the
 * range is padding; where there is too much of it, it is better to read the files again. The last
 * chunk of a range is kept back, since the next range may go on in it.
 *
 * @module
 */

import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import type { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";

/** Padding may make this part of what is reused: one in ten. */
const PADDING_SHARE = 10;
/**
 * Padding of that many bytes is never too much: the start and the tail marker of the old stream.
 */
const PADDING_SIZE_FREE = 32;

/** A range that is going to be reused. */
export interface ReusedRange {
  /** Chunks to put into the new stream now, in order. */
  readonly chunks: Iterable<KnownChunk>;
  /** To be added to an offset in the old stream; gives that in the new one. */
  readonly shift: number;
}

/** Decides about one range after the other, from the beginning of the old stream to its end. */
export class PayloadReuse {
  readonly #index: DynamicIndex;
  readonly #isStored: (digest: ChunkDigest) => boolean;
  /** Entry of the index that is kept back: the new stream needs it, but does not have it yet. */
  #kept = -1;
  /** Bytes of the kept entry that files of the new archive refer to. */
  #keptUsed = 0;
  /** Bytes reused before a cut, where they end. */
  #runSize = 0;
  #runEnd = -1;

  /**
   * @param isStored whether a chunk is still there: a verification may have found it damaged and
   *   taken it away
   */
  constructor(index: DynamicIndex, isStored: (digest: ChunkDigest) => boolean) {
    this.#index = index;
    this.#isStored = isStored;
  }

  /** Length of the old stream. */
  get size(): number {
    return this.#index.size;
  }

  /**
   * Decides about the range from `start` to `end`, which is not empty and not before the last one.
   *
   * @param position length of the new stream without the kept chunk
   * @param isLastKept whether the last chunk is kept back
   * @param isCut whether it may be that the range goes on: then padding behind it does not count
   * @returns undefined when the files are to be read again
   */
  decide(
    start: number,
    end: number,
    position: number,
    isLastKept: boolean,
    isCut: boolean,
  ): ReusedRange | undefined {
    const index = this.#index;
    const first = index.find(start);
    const last = index.find(end - 1);
    const isShared = first === this.#kept;
    const isPossible = this.#isWorthwhile(start, end, first, last, isShared, isCut) &&
      this.#areStored(isShared ? first + 1 : first, last);
    if (!isPossible) {
      this.#runEnd = -1;
      return undefined;
    }
    const kept = this.takeKept();
    const before = isShared ? undefined : kept;
    const firstPosition = position + (before?.size ?? 0);
    this.#runSize = (start === this.#runEnd ? this.#runSize : 0) + end - start;
    this.#runEnd = isCut ? end : -1;
    if (isLastKept) {
      const used = end - Math.max(start, this.#index.startOf(last));
      this.#keptUsed = used + (isShared && first === last ? this.#keptUsed : 0);
      this.#kept = last;
    }
    return {
      chunks: this.#chunks(before, first, isLastKept ? last : last + 1),
      shift: firstPosition - this.#index.startOf(first),
    };
  }

  /**
   * The chunk that is kept back, when something else comes next in the new stream. It is not kept
   * any longer.
   */
  takeKept(): KnownChunk | undefined {
    const index = this.#kept;
    if (index < 0) return undefined;
    this.#kept = -1;
    return chunkAt(this.#index, index);
  }

  #isWorthwhile(
    start: number,
    end: number,
    first: number,
    last: number,
    isShared: boolean,
    isCut: boolean,
  ): boolean {
    const all = start - this.#index.startOf(first) + (isCut ? 0 : this.#index.endOf(last) - end);
    const padding = isShared ? all - this.#keptUsed : all;
    const before = start === this.#runEnd ? this.#runSize : 0;
    return padding <= PADDING_SIZE_FREE || padding * PADDING_SHARE <= before + end - start + all;
  }

  #areStored(first: number, last: number): boolean {
    for (let position = first; position <= last; position++) {
      if (!this.#isStored(this.#index.digestOf(position))) return false;
    }
    return true;
  }

  *#chunks(before: KnownChunk | undefined, first: number, end: number): Generator<KnownChunk> {
    if (before !== undefined) yield before;
    for (let index = first; index < end; index++) yield chunkAt(this.#index, index);
  }
}

/** How many chunks are put into a stream at once, as the reference does it. */
export const INJECTION_COUNT_MAX = 128;

/** All entries of an index, in batches that can be put into a stream. */
export function* chunksOfIndex(index: ChunkIndex): Generator<KnownChunk[]> {
  for (let start = 0; start < index.count; start += INJECTION_COUNT_MAX) {
    const count = Math.min(INJECTION_COUNT_MAX, index.count - start);
    yield Array.from({ length: count }, (_, offset) => chunkAt(index, start + offset));
  }
}

/** An entry of an index as what can be put into a stream. */
export function chunkAt(index: ChunkIndex, position: number): KnownChunk {
  const size = index.endOf(position) - index.startOf(position);
  return { digest: index.digestOf(position), size };
}
