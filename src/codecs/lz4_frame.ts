/**
 * LZ4 frames, as `lz4` and others write files: a header, blocks, checksums.
 *
 * Source: the format's public description (lz4_Frame_format.md).
 *
 * @module
 */

import { Xxh32, xxh32 } from "#src/bytes/xxh32.ts";
import { FormatError } from "#src/errors.ts";
import { decodeLz4Block } from "./lz4_block.ts";

const MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const VERSION = 1;
/** Bits of the first byte behind the magic number. */
const Flag = {
  DICTIONARY_ID: 0x01,
  CONTENT_CHECKSUM: 0x04,
  CONTENT_SIZE: 0x08,
  BLOCK_CHECKSUMS: 0x10,
  INDEPENDENT_BLOCKS: 0x20,
} as const;
const CONTENT_SIZE_SIZE = 8;
const CHECKSUM_SIZE = 4;
/** Of a block's length: the block is stored as it is. */
const IS_PLAIN = 0x8000_0000;
/** How far back a block may refer to others. */
const HISTORY_SIZE = 64 << 10;
/** Sizes of blocks by their number in the header, from 4 on. */
const BLOCK_SIZES = [64 << 10, 256 << 10, 1 << 20, 4 << 20];
const FIRST_BLOCK_SIZE = 4;

/** Gives the next bytes of a file, fewer at its end; they are good until it is called again. */
export type Lz4Input = (sizeBytes: number) => Uint8Array;

/**
 * Expands a file of frames, block by block.
 *
 * @returns parts of the content, each good until the next one
 * @throws {FormatError} when it is damaged, cut off, or needs a dictionary
 */
export function* expandLz4(read: Lz4Input): Generator<Uint8Array> {
  for (;;) {
    const magic = read(4);
    if (magic.length === 0) return;
    const number = uint32(magic);
    if (number === MAGIC) yield* expandFrame(read);
    else if ((number & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) skip(read, uint32(read(4)));
    else throw damaged("no frame begins here");
  }
}

/**
 * Expands a complete file into `target`.
 *
 * @returns the number of bytes produced; -1 when it is damaged, needs a dictionary, or expands to
 *   more than fits
 */
export function decodeLz4File(
  source: Uint8Array<ArrayBuffer>,
  target: Uint8Array<ArrayBuffer>,
): number {
  let position = 0;
  let size = 0;
  try {
    const read = (count: number) => source.subarray(position, position += count);
    for (const bytes of expandLz4(read)) {
      if (bytes.length > target.length - size) return -1;
      target.set(bytes, size);
      size += bytes.length;
    }
    return size;
  } catch (error) {
    if (error instanceof FormatError) return -1;
    throw error;
  }
}

/**
 * The beginning of what a file expands to, as far as its own beginning tells: up to the first bytes
 * there that cannot be compressed.
 *
 * @param head the first bytes of the file
 * @returns zeros behind what is known
 */
export function lz4Preview(head: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  // What crosses the end is not written at all.
  const preview = new Uint8Array(sizeBytes + HISTORY_SIZE);
  if (head.length < 7 || uint32(head.subarray(0, 4)) !== MAGIC) return preview.slice(0, sizeBytes);
  const hasSize = (head[4]! & Flag.CONTENT_SIZE) !== 0;
  const start = 7 + (hasSize ? CONTENT_SIZE_SIZE : 0);
  if (start + 4 > head.length) return preview.slice(0, sizeBytes);
  const length = uint32(head.subarray(start, start + 4));
  const block = head.subarray(start + 4, start + 4 + (length & ~IS_PLAIN));
  if ((length & IS_PLAIN) !== 0) preview.set(block.subarray(0, preview.length));
  // Fails at the end of one or the other, and has written what comes before.
  else decodeLz4Block(block, 0, block.length, preview, 0, preview.length);
  return preview.slice(0, sizeBytes);
}

/** What a frame says of its blocks. */
interface FrameHeader {
  readonly flags: number;
  readonly blockSizeMax: number;
}

function readHeader(read: Lz4Input): FrameHeader {
  const [flags = 0, sizes = 0] = read(2);
  if (flags >> 6 !== VERSION) throw damaged("it is of an unknown version");
  if ((flags & Flag.DICTIONARY_ID) !== 0) throw damaged("it needs a dictionary");
  const rest = read((flags & Flag.CONTENT_SIZE) === 0 ? 1 : CONTENT_SIZE_SIZE + 1);
  const described = new Uint8Array([flags, sizes, ...rest.subarray(0, -1)]);
  if ((xxh32(described) >>> 8 & 0xff) !== rest.at(-1)) throw damaged("its header is wrong");
  const blockSizeMax = BLOCK_SIZES[(sizes >> 4 & 7) - FIRST_BLOCK_SIZE];
  if (blockSizeMax === undefined) throw damaged("its header is wrong");
  return { flags, blockSizeMax };
}

function* expandFrame(read: Lz4Input): Generator<Uint8Array> {
  const { flags, blockSizeMax } = readHeader(read);
  const has = (flag: number) => (flags & flag) !== 0;
  const checksum = has(Flag.CONTENT_CHECKSUM) ? new Xxh32() : undefined;
  /** Before each block what it may refer to. */
  const window = new Uint8Array(HISTORY_SIZE + blockSizeMax);
  let historySize = 0;
  for (;;) {
    const length = uint32(read(4));
    if (length === 0) break;
    const size = length & ~IS_PLAIN;
    if (size > blockSizeMax) throw damaged("a block is too long");
    const block = read(size);
    if (block.length < size) throw damaged("it is cut off");
    if ((length & IS_PLAIN) !== 0) window.set(block, historySize);
    const count = (length & IS_PLAIN) !== 0 ? size : decodeLz4Block(
      block,
      0,
      size,
      window,
      historySize,
      blockSizeMax,
      has(Flag.INDEPENDENT_BLOCKS) ? historySize : 0,
    );
    if (count < 0) throw damaged("a block is damaged");
    if (has(Flag.BLOCK_CHECKSUMS)) {
      const computed = xxh32(block);
      if (uint32(read(CHECKSUM_SIZE)) !== computed) throw damaged("a block is damaged");
    }
    const end = historySize + count;
    const bytes = window.subarray(historySize, end);
    checksum?.update(bytes);
    yield bytes;
    historySize = Math.min(end, HISTORY_SIZE);
    window.copyWithin(0, end - historySize, end);
  }
  if (checksum !== undefined && uint32(read(CHECKSUM_SIZE)) !== checksum.digest()) {
    throw damaged("its checksum is wrong");
  }
}

function skip(read: Lz4Input, sizeBytes: number): void {
  for (let left = sizeBytes; left > 0;) {
    const count = read(Math.min(left, HISTORY_SIZE)).length;
    if (count === 0) throw damaged("it is cut off");
    left -= count;
  }
}

function uint32(bytes: Uint8Array): number {
  if (bytes.length < 4) throw damaged("it is cut off");
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

function damaged(what: string): FormatError {
  return new FormatError(`Cannot expand LZ4 frame: ${what}`);
}
