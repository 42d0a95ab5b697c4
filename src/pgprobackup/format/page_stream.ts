/**
 * The record stream of a stored data file. Records follow one another without padding:
 *
 * | offset | type | field |
 * |---|---|---|
 * | 0 | u32 | block number within the segment |
 * | 4 | i32 | payload length: 8192 = page as it is, 1…8191 = compressed page |
 * | 8 | | payload |
 *
 * All numbers are little-endian. The functions here are called for every page and take plain
 * numbers.
 *
 * @module
 */

/** Page size of all supported clusters. */
export const PAGE_SIZE = 8192;

/** Bytes before each payload. */
export const RECORD_HEADER_SIZE = 8;

/** Longest record. */
export const RECORD_SIZE_MAX = RECORD_HEADER_SIZE + PAGE_SIZE;

/** Blocks of a full segment file (1 GiB). */
export const SEGMENT_BLOCKS_MAX = 131072;

/** Block number of the record at `offset`; the caller has checked that 8 bytes are there. */
export function recordBlock(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) |
    (bytes[offset + 3]! << 24)) >>> 0;
}

/**
 * Payload length of the record at `offset`, signed; the caller has checked that 8 bytes are there.
 */
export function recordPayloadSize(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 4]! | (bytes[offset + 5]! << 8) | (bytes[offset + 6]! << 16) |
    (bytes[offset + 7]! << 24);
}

/** Whether a payload length can occur. */
export function isPayloadSize(size: number): boolean {
  return size > 0 && size <= PAGE_SIZE;
}
