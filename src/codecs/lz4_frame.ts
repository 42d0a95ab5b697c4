/**
 * LZ4 frames, as `lz4` and others write files: a header, blocks, checksums.
 *
 * Source: the format's public description (lz4_Frame_format.md).
 *
 * @module
 */

import { xxh32 } from "#src/bytes/xxh32.ts";
import { decodeLz4Block } from "./lz4_block.ts";

const MAGIC = 0x184d2204;
const VERSION = 1;
/** Bits of the first byte behind the magic number. */
const Flag = {
  DICTIONARY_ID: 0x01,
  CONTENT_CHECKSUM: 0x04,
  CONTENT_SIZE: 0x08,
  BLOCK_CHECKSUMS: 0x10,
  INDEPENDENT_BLOCKS: 0x20,
} as const;
const CHECKSUM_SIZE = 4;
/** Of a block's length: the block is stored as it is. */
const IS_PLAIN = 0x8000_0000;

/**
 * Expands one complete frame into `target`.
 *
 * @returns the number of bytes produced; -1 when the frame is damaged, needs a dictionary, is
 *   followed by something, or expands to more than fits
 */
export function decodeLz4Frame(
  source: Uint8Array<ArrayBuffer>,
  target: Uint8Array<ArrayBuffer>,
): number {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  // Magic number, two bytes of the header, its checksum, and the end mark.
  if (source.length < 11 || view.getUint32(0, true) !== MAGIC) return -1;
  const flags = source[4]!;
  if (flags >> 6 !== VERSION || (flags & Flag.DICTIONARY_ID) !== 0) return -1;
  const headerEnd = 6 + ((flags & Flag.CONTENT_SIZE) === 0 ? 0 : 8);
  if (headerEnd >= source.length) return -1;
  if ((xxh32(source, 4, headerEnd) >>> 8 & 0xff) !== source[headerEnd]) return -1;
  let input = headerEnd + 1;
  let output = 0;
  for (;;) {
    if (input + 4 > source.length) return -1;
    const length = view.getUint32(input, true);
    input += 4;
    if (length === 0) break;
    const size = length & ~IS_PLAIN;
    if (size > source.length - input) return -1;
    const count = expandBlock(
      source,
      input,
      size,
      (length & IS_PLAIN) !== 0,
      flags,
      target,
      output,
    );
    if (count < 0) return -1;
    output += count;
    input += size + ((flags & Flag.BLOCK_CHECKSUMS) === 0 ? 0 : CHECKSUM_SIZE);
  }
  if ((flags & Flag.CONTENT_CHECKSUM) !== 0) {
    if (input + CHECKSUM_SIZE > source.length) return -1;
    if (view.getUint32(input, true) !== xxh32(target, 0, output)) return -1;
    input += CHECKSUM_SIZE;
  }
  return input === source.length ? output : -1;
}

function expandBlock(
  source: Uint8Array,
  start: number,
  size: number,
  isPlain: boolean,
  flags: number,
  target: Uint8Array,
  output: number,
): number {
  const room = target.length - output;
  if (isPlain) {
    if (size > room) return -1;
    target.set(source.subarray(start, start + size), output);
    return size;
  }
  const historyStart = (flags & Flag.INDEPENDENT_BLOCKS) === 0 ? 0 : output;
  return decodeLz4Block(source, start, size, target, output, room, historyStart);
}
