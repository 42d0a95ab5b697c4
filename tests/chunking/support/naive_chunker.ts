/**
 * The chunker as its description says it, byte by byte.
 *
 * @module
 */

import { BUZHASH_TABLE } from "#src/chunking/buzhash_table.ts";

const WINDOW_SIZE = 64;

/** Sizes of the chunks of `bytes`. */
export function naiveChunkSizes(bytes: Uint8Array, averageSize: number): number[] {
  const [sizeMin, sizeMax, mask] = [averageSize / 4, averageSize * 4, 2 * averageSize - 1];
  const window = new Uint8Array(WINDOW_SIZE);
  const sizes = [];
  let hash = 0;
  let size = 0;
  for (const byte of bytes) {
    hash = ((hash << 1) | (hash >>> 31)) ^ BUZHASH_TABLE[byte]!;
    const isWindowFull = size >= WINDOW_SIZE;
    if (isWindowFull) hash ^= BUZHASH_TABLE[window[size % WINDOW_SIZE]!]!;
    window[size % WINDOW_SIZE] = byte;
    size++;
    if (!isWindowFull) continue;
    if (size >= sizeMax || (size >= sizeMin && ((hash & mask) >>> 0) >= mask - 2)) {
      sizes.push(size);
      size = 0;
      hash = 0;
    }
  }
  if (size > 0) sizes.push(size);
  return sizes;
}
