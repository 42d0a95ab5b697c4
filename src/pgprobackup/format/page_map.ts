/**
 * `page_header_map`: for each data file an array of 24-byte elements that says where every record
 * begins.
 *
 * | offset | type | field |
 * |---|---|---|
 * | 0 | u64 | page LSN |
 * | 8 | i32 | block number within the segment |
 * | 12 | i32 | offset of the record in the stored file |
 * | 16 | u16 | page checksum |
 * | 18 | 6 | zero |
 *
 * A last element with the length of the stored file in the offset field ends the array.
 *
 * @module
 */

import { PAGE_SIZE, RECORD_HEADER_SIZE } from "./page_stream.ts";

/** Bytes of an element. */
export const PAGE_MAP_ELEMENT_SIZE = 24;

const ELEMENT_WORDS = PAGE_MAP_ELEMENT_SIZE / 4;
const BLOCK_WORD = 2;
const POSITION_WORD = 3;

/** Bits of the payload length in a packed index word; the layer number is above them. */
export const PAYLOAD_SIZE_BITS = 14;

/** Mask of the payload length. */
export const PAYLOAD_SIZE_MASK = (1 << PAYLOAD_SIZE_BITS) - 1;

/** Layers an index word can name. */
export const LAYERS_MAX = 1 << (32 - PAYLOAD_SIZE_BITS);

/**
 * Enters the records of one layer into an index of two words a block: record position, and
 * `layer << 14 | payload length`. Blocks that are entered already (by a newer layer) or lie beyond
 * the index are passed over.
 *
 * @param map the array as little-endian words, terminator included
 * @param recordCount elements without the terminator
 * @param storedSize length of the stored file
 * @param index two words a block; 0 in the second one says "no record"
 * @returns -1, or the number of the element that cannot be
 */
export function mergePageMap(
  map: Int32Array,
  recordCount: number,
  storedSize: number,
  layer: number,
  index: Uint32Array,
): number {
  const blockCount = index.length >> 1;
  const layerBits = layer << PAYLOAD_SIZE_BITS;
  let previousBlock = -1;
  let position = 0;
  for (let record = 0; record < recordCount; record++) {
    const word = record * ELEMENT_WORDS;
    const block = map[word + BLOCK_WORD]!;
    const next = map[word + ELEMENT_WORDS + POSITION_WORD]!;
    const payloadSize = next - position - RECORD_HEADER_SIZE;
    if (
      map[word + POSITION_WORD] !== position || block <= previousBlock || payloadSize <= 0 ||
      payloadSize > PAGE_SIZE
    ) return record;
    if (block < blockCount && index[2 * block + 1] === 0) {
      index[2 * block] = position;
      index[2 * block + 1] = layerBits | payloadSize;
    }
    previousBlock = block;
    position = next;
  }
  return position === storedSize ? -1 : recordCount;
}
