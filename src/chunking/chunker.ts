/**
 * The content-defined chunker: cuts after a byte at which the rolling hash ends in certain bits. A
 * change of the stream moves only the boundaries near it.
 *
 * With an average size A, chunks have A/4 to 4A bytes, but for the last one of a stream. Boundaries
 * of the reference are the same byte for byte.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { type BoundaryScanner, WINDOW_SIZE } from "./buzhash.ts";
import type { Cutter } from "./cutter.ts";

/** Smallest average: its smallest chunk still has a whole window. */
const AVERAGE_SIZE_MIN = 256;
const AVERAGE_SIZE_MAX = 16 << 20;

/**
 * Bytes looked at in one go: they are in a processor's own cache still, and a call costs nothing
 * against them.
 */
const LOOK_SIZE = 512 << 10;

/** How many times larger or smaller than the average a chunk may be. */
export const CHUNK_SIZE_FACTOR = 4;

/**
 * Refuses sizes that the rule for boundaries is not made for.
 *
 * @throws {UsageError} when there are no chunks of this average size
 */
export function checkAverageSize(averageSize: number): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(averageSize));
  if (isPowerOfTwo && averageSize >= AVERAGE_SIZE_MIN && averageSize <= AVERAGE_SIZE_MAX) return;
  throw new UsageError(
    `Cannot cut chunks of ${averageSize} bytes on average: a power of two ` +
      `from ${AVERAGE_SIZE_MIN} to ${AVERAGE_SIZE_MAX} expected`,
  );
}

/** Cuts by content. */
export class Chunker implements Cutter {
  readonly chunkSizeMin: number;
  readonly chunkSizeMax: number;
  readonly #scanner: BoundaryScanner;
  readonly #mask: number;
  /** Bytes of the running chunk after which there is no boundary for certain. */
  #searched: number;

  /**
   * @param averageSize a power of two
   * @throws {UsageError}
   */
  constructor(scanner: BoundaryScanner, averageSize: number) {
    checkAverageSize(averageSize);
    this.#scanner = scanner;
    this.chunkSizeMin = averageSize / CHUNK_SIZE_FACTOR;
    this.chunkSizeMax = averageSize * CHUNK_SIZE_FACTOR;
    this.#mask = averageSize * 2 - 1;
    this.#searched = this.#unsearched();
  }

  gather(available: number): number {
    return Math.max(this.#searched, available) + LOOK_SIZE - available;
  }

  cut(start: number, available: number): number {
    const until = Math.min(available, this.chunkSizeMax - 1);
    const found = this.#scanner.find(start + this.#searched, start + until, this.#mask);
    if (found > 0) {
      this.restart();
      return found - start;
    }
    if (available >= this.chunkSizeMax) {
      this.restart();
      return this.chunkSizeMax;
    }
    this.#searched = Math.max(this.#searched, available);
    return 0;
  }

  restart(): void {
    this.#searched = this.#unsearched();
  }

  /** Nothing before can end a chunk, and only the last 64 bytes before matter. */
  #unsearched(): number {
    return Math.max(WINDOW_SIZE, this.chunkSizeMin - 1);
  }
}
