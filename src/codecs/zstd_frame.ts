/**
 * The outer structure of a Zstandard frame: enough to know that it is complete and how much it can
 * expand to, before any memory is taken. (The built-in decoder accepts a truncated frame silently.)
 *
 * Source: RFC 8878, section 3.1.1.
 *
 * @module
 */

/** A frame begins with it. */
export const ZSTD_MAGIC = 0xfd2fb528;
const DICTIONARY_ID_SIZES = [0, 1, 2, 4];
const CONTENT_SIZE_SIZES = [0, 2, 4, 8];
/** Behind the blocks, where there is one. */
export const ZSTD_CHECKSUM_SIZE = 4;
/** Before the bytes of each block. */
export const ZSTD_BLOCK_HEADER_SIZE = 3;
const BLOCK_SIZE_MAX = 128 << 10;
const BLOCK_RAW = 0;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/** Where the parts of a frame are, from its beginning on. */
export interface ZstdFrameHeader {
  readonly sizeOffset: number;
  /** Bytes of the content's size; 0: it is not stated. */
  readonly sizeSize: number;
  readonly blocksOffset: number;
  readonly hasChecksum: boolean;
}

/** What the descriptor says, the byte behind the magic number. */
export function zstdFrameHeader(descriptor: number): ZstdFrameHeader {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeSize = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_SIZES[sizeFlag]!;
  const sizeOffset = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_SIZES[descriptor & 3]!;
  const hasChecksum = (descriptor & 0x04) !== 0;
  return { sizeOffset, sizeSize, blocksOffset: sizeOffset + sizeSize, hasChecksum };
}

/** What the header of a block says. */
export interface ZstdBlock {
  readonly isLast: boolean;
  readonly type: number;
  /** As the header states it. */
  readonly size: number;
  /** Bytes that it takes behind its header. */
  readonly storedSize: number;
}

/** Reads the header of a block. */
export function zstdBlock(view: DataView, offset: number): ZstdBlock {
  const header = view.getUint16(offset, true) | view.getUint8(offset + 2) << 16;
  const type = (header >> 1) & 3;
  const size = header >> 3;
  return { isLast: (header & 1) !== 0, type, size, storedSize: type === BLOCK_RLE ? 1 : size };
}

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
  if (size < 5 || view.getUint32(0, true) !== ZSTD_MAGIC) return undefined;
  const { sizeOffset, sizeSize, blocksOffset, hasChecksum } = zstdFrameHeader(view.getUint8(4));
  if (blocksOffset > size) return undefined;
  const fromBlocks = walkBlocks(view, blocksOffset, size - (hasChecksum ? ZSTD_CHECKSUM_SIZE : 0));
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
  while (offset + ZSTD_BLOCK_HEADER_SIZE <= end) {
    const { isLast, type, size, storedSize } = zstdBlock(view, offset);
    if (type === BLOCK_RESERVED || size > BLOCK_SIZE_MAX) return undefined;
    offset += ZSTD_BLOCK_HEADER_SIZE + storedSize;
    sum += type === BLOCK_RAW || type === BLOCK_RLE ? size : BLOCK_SIZE_MAX;
    if (isLast) return offset === end ? sum : undefined;
  }
  return undefined;
}
