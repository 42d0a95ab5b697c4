/**
 * The chunker of images: every chunk has the same size, but for the last one.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { Cutter } from "./cutter.ts";

const CHUNK_SIZE_MAX = 64 << 20;

/** Cuts every so many bytes. */
export class FixedChunker implements Cutter {
  readonly chunkSizeMax: number;

  /** @throws {UsageError} */
  constructor(chunkSize: number) {
    if (!Number.isInteger(chunkSize) || chunkSize < 1 || chunkSize > CHUNK_SIZE_MAX) {
      throw new UsageError(`Cannot cut chunks of ${chunkSize} bytes`);
    }
    this.chunkSizeMax = chunkSize;
  }

  gather(available: number): number {
    return this.chunkSizeMax - available;
  }

  cut(_start: number, available: number): number {
    return available >= this.chunkSizeMax ? this.chunkSizeMax : 0;
  }

  restart(): void {}
}
