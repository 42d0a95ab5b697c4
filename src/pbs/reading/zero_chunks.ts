/**
 * Chunks of zeros in an index: known by their digests, so that nothing has to be loaded.
 *
 * Whoever backs up a long run of zeros makes chunks of the largest size of them (dynamic index) or
 * of the only size (fixed index). Both are powers of two, and there are few such sizes in an index,
 * so for each one the digest of zeros is computed once.
 *
 * @module
 */

import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Stream } from "#src/codecs/hashing.ts";
import type { KnownZeros } from "#src/io/byte_source.ts";
import { BLOB_DATA_SIZE_MAX } from "../format/blob.ts";
import type { ChunkIndex } from "../format/chunk_index.ts";

/** The smallest chunk that is worth to be known. */
const CHUNK_SIZE_MIN = 64 << 10;
const PIECE_SIZE = 1 << 20;

/** See the head of the module. The index is gone through at the first question. */
export class ZeroChunks implements KnownZeros {
  readonly #index: ChunkIndex;
  readonly #idKey: Uint8Array | undefined;
  #found: { starts: Float64Array; ends: Float64Array; zerosBefore: Float64Array } | undefined;

  /** @param idKey goes into digests of encrypted chunks */
  constructor(index: ChunkIndex, idKey: Uint8Array | undefined) {
    this.#index = index;
    this.#idKey = idKey;
  }

  nextData(offset: number): number {
    const { ends, starts } = this.#runs;
    const run = this.#runBehind(offset);
    return run < starts.length && starts[run]! <= offset ? ends[run]! : offset;
  }

  nextHole(offset: number): number {
    const { starts } = this.#runs;
    const run = this.#runBehind(offset);
    return run < starts.length ? Math.max(starts[run]!, offset) : this.#index.size;
  }

  countData(start: number, end: number): number {
    return end - start - (this.#zerosUntil(end) - this.#zerosUntil(start));
  }

  #zerosUntil(offset: number): number {
    const { starts, zerosBefore } = this.#runs;
    const run = this.#runBehind(offset);
    return zerosBefore[run]! + (run < starts.length ? Math.max(0, offset - starts[run]!) : 0);
  }

  /** The first run that ends behind `offset`. */
  #runBehind(offset: number): number {
    const { ends } = this.#runs;
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle]! > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  get #runs() {
    return this.#found ??= this.#findRuns();
  }

  #digestOfZeros(size: number): ChunkDigest {
    const hash = sha256Stream();
    const zeros = new Uint8Array(Math.min(size, PIECE_SIZE));
    for (let done = 0; done < size; done += zeros.length) hash.update(zeros);
    if (this.#idKey !== undefined) hash.update(this.#idKey);
    return digestOf(hash.digest());
  }

  #findRuns() {
    const index = this.#index;
    const digests = new Map<number, ChunkDigest>();
    const starts: number[] = [];
    const ends: number[] = [];
    let start = 0;
    for (let position = 0; position < index.count; position++) {
      const end = index.endOf(position);
      const size = end - start;
      const isInRange = size >= CHUNK_SIZE_MIN && size <= BLOB_DATA_SIZE_MAX;
      if (isInRange && (size & (size - 1)) === 0) {
        let digest = digests.get(size);
        if (digest === undefined) digests.set(size, digest = this.#digestOfZeros(size));
        if (index.digestOf(position) === digest) {
          if (ends.at(-1) === start) ends[ends.length - 1] = end;
          else {
            starts.push(start);
            ends.push(end);
          }
        }
      }
      start = end;
    }
    const zerosBefore = new Float64Array(starts.length + 1);
    starts.forEach((from, run) => {
      zerosBefore[run + 1] = zerosBefore[run]! + ends[run]! - from;
    });
    return { starts: Float64Array.from(starts), ends: Float64Array.from(ends), zerosBefore };
  }
}
