/**
 * Where the frames of a zstd file begin and end, by the lengths in their headers and blocks.
 *
 * Source: RFC 8878, section 3.1.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import {
  ZSTD_BLOCK_HEADER_SIZE,
  ZSTD_CHECKSUM_SIZE,
  ZSTD_MAGIC,
  zstdBlock,
  zstdFrameHeader,
} from "./zstd_frame.ts";

const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const HEAD_SIZE = 8;

/** Finds the frames that have data, in order. @throws {FormatError} */
export function* zstdFrames(
  source: ByteSource,
  path: string,
  allocate: (sizeBytes: number) => NativeBuffer,
): Generator<{ readonly start: number; readonly end: number }> {
  const buffer = allocate(HEAD_SIZE);
  const view = new DataView(buffer.bytes.buffer, buffer.bytes.byteOffset, HEAD_SIZE);
  const cutOff = (offset: number) =>
    new FormatError("Cannot read zstd file: it is cut off", { path, offset });
  const read = (offset: number, size: number) => {
    if (source.readAt(buffer, 0, size, offset) < size) throw cutOff(offset);
  };
  for (let offset = 0; offset < source.size;) {
    read(offset, 5);
    const magic = view.getUint32(0, true);
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
      read(offset + 4, 4);
      offset += HEAD_SIZE + view.getUint32(0, true);
      continue;
    }
    if (magic !== ZSTD_MAGIC) {
      throw new FormatError("Cannot read zstd file: no frame begins here", { path, offset });
    }
    const start = offset;
    const { blocksOffset, hasChecksum } = zstdFrameHeader(view.getUint8(4));
    offset += blocksOffset;
    for (let isLast = false; !isLast;) {
      read(offset, ZSTD_BLOCK_HEADER_SIZE);
      const block = zstdBlock(view, 0);
      isLast = block.isLast;
      offset += ZSTD_BLOCK_HEADER_SIZE + block.storedSize;
    }
    if (hasChecksum) offset += ZSTD_CHECKSUM_SIZE;
    if (offset > source.size) throw cutOff(source.size);
    yield { start, end: offset };
  }
}
