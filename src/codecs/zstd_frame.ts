/**
 * The outer structure of a Zstandard frame: enough to know that it is complete and how much it can
 * expand to, before any memory is taken. (The built-in decoder accepts a truncated frame silently.)
 *
 * Source: RFC 8878, section 3.1.1.
 *
 * @module
 */

const MAGIC = 0xfd2fb528;
const DICTIONARY_ID_SIZES = [0, 1, 2, 4];
const CONTENT_SIZE_SIZES = [0, 2, 4, 8];
const CHECKSUM_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const BLOCK_SIZE_MAX = 128 << 10;
const BLOCK_RAW = 0;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/**
 * The most bytes that a frame can expand to: the stated content size, or else what its blocks can
 * hold.
 *
 * @returns undefined when the region is not exactly one complete frame, or states more than its
 *   blocks can hold
 */
export function zstdContentSizeMax(
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  size: number,
): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, size);
  if (size < 5 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionarySize = DICTIONARY_ID_SIZES[descriptor & 3]!;
  const sizeFlag = descriptor >> 6;
  const sizeSize = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_SIZES[sizeFlag]!;
  const sizeOffset = 5 + (isSingleSegment ? 0 : 1) + dictionarySize;
  const blocksOffset = sizeOffset + sizeSize;
  if (blocksOffset > size) return undefined;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const fromBlocks = walkBlocks(view, blocksOffset, size - (hasChecksum ? CHECKSUM_SIZE : 0));
  if (fromBlocks === undefined || sizeSize === 0) return fromBlocks;
  const stated = readContentSize(view, sizeOffset, sizeSize);
  return stated <= fromBlocks ? stated : undefined;
}

function readContentSize(view: DataView, offset: number, size: number): number {
  switch (size) {
    case 1:
      return view.getUint8(offset);
    case 2:
      return view.getUint16(offset, true) + 256;
    case 4:
      return view.getUint32(offset, true);
    default:
      return Number(view.getBigUint64(offset, true));
  }
}

/** @returns what the blocks can expand to; undefined when they do not end at `end` */
function walkBlocks(view: DataView, start: number, end: number): number | undefined {
  let offset = start;
  let sum = 0;
  while (offset + BLOCK_HEADER_SIZE <= end) {
    const header = view.getUint16(offset, true) | view.getUint8(offset + 2) << 16;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === BLOCK_RESERVED || size > BLOCK_SIZE_MAX) return undefined;
    offset += BLOCK_HEADER_SIZE + (type === BLOCK_RLE ? 1 : size);
    sum += type === BLOCK_RAW || type === BLOCK_RLE ? size : BLOCK_SIZE_MAX;
    if ((header & 1) !== 0) return offset === end ? sum : undefined;
  }
  return undefined;
}
