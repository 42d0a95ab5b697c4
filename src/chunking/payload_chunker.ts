/**
 * The chunker of payload streams: cuts where a file starts if that is far enough from the last cut,
 * and by content elsewhere. A file that did not change is more often in chunks of its own then.
 *
 * A file's start counts only while the bytes around it have not been searched yet. So boundaries
 * depend on how far ahead of the search the bytes are; here they are searched in pieces that end at
 * multiples of a fixed size in the stream, which makes them the same for every way of writing it.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { BoundaryScanner } from "./buzhash.ts";
import { Chunker } from "./chunker.ts";
import type { Cutter } from "./cutter.ts";

/** Smallest piece that is searched in one go. */
const PIECE_SIZE_MIN = 64 << 10;
/** So many suggestions that are done with are kept, as it takes time to give them up. */
const FORGET_COUNT = 1024;

/** Cuts at suggested boundaries and by content. */
export class PayloadChunker implements Cutter {
  readonly chunkSizeMin: number;
  readonly chunkSizeMax: number;
  readonly #byContent: Chunker;
  readonly #pieceSize: number;
  /** Suggested positions, growing; those before `#next` are done with. */
  #suggestions: number[] = [];
  #next = 0;
  /** Where the running chunk begins in the stream. */
  #chunkStart = 0;
  /** Bytes of the running chunk in which boundaries have been looked for. */
  #searched = 0;

  /**
   * @param averageSize a power of two
   * @throws {UsageError}
   */
  constructor(scanner: BoundaryScanner, averageSize: number) {
    this.#byContent = new Chunker(scanner, averageSize);
    this.chunkSizeMin = this.#byContent.chunkSizeMin;
    this.chunkSizeMax = this.#byContent.chunkSizeMax;
    this.#pieceSize = Math.max(this.chunkSizeMin, PIECE_SIZE_MIN);
  }

  /**
   * Says that a file starts at `position` of the stream.
   *
   * @throws {UsageError} when it is before the position suggested last
   */
  suggest(position: number): void {
    const last = this.#suggestions.at(-1);
    if (last !== undefined && position < last) {
      throw new UsageError(`Cannot suggest the boundary ${position} after ${last}`);
    }
    this.#suggestions.push(position);
  }

  gather(available: number): number {
    return this.#pieceSize - (this.#chunkStart + available) % this.#pieceSize;
  }

  cut(start: number, available: number): number {
    const suggested = this.#takeSuggestion(available);
    if (suggested > 0) {
      this.restart(suggested);
      return suggested;
    }
    const size = this.#byContent.cut(start, available);
    this.#chunkStart += size;
    this.#searched = size > 0 ? 0 : available;
    return size;
  }

  restart(distance: number): void {
    this.#byContent.restart();
    this.#chunkStart += distance;
    this.#searched = 0;
  }

  /** @returns the size of a chunk that ends where a file starts, or 0 */
  #takeSuggestion(available: number): number {
    for (; this.#next < this.#suggestions.length; this.#next++) {
      const size = this.#suggestions[this.#next]! - this.#chunkStart;
      if (size > available || size > this.chunkSizeMax) break;
      if (size < this.#searched || size < this.chunkSizeMin) continue;
      this.#next++;
      return size === this.#searched ? 0 : size;
    }
    this.#forget();
    return 0;
  }

  /** Gives back the memory of suggestions that are done with, now and then. */
  #forget(): void {
    if (this.#next === 0 || (this.#next < FORGET_COUNT && this.#next < this.#suggestions.length)) {
      return;
    }
    this.#suggestions = this.#suggestions.slice(this.#next);
    this.#next = 0;
  }
}
