/**
 * Where the frames of a zstd file begin and end, by the lengths in their headers and blocks.
 *
 * Source: RFC 8878, section 3.1.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";

/** What is read of a file; a `ByteSource` is one. */
interface Bytes {
  readonly size: number;
  readAt(target: NativeBuffer, start: number, size: number, offset: number): number;
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const DICTIONARY_ID_SIZES = [0, 1, 2, 4];
const CONTENT_SIZE_SIZES = [0, 2, 4, 8];
const BLOCK_HEADER_SIZE = 3;
const BLOCK_RLE = 1;
const CHECKSUM_SIZE = 4;
const HEAD_SIZE = 8;

/** Finds the frames that have data, in order. @throws {FormatError} */
export function* zstdFrames(
  source: Bytes,
  path: string,
  allocate: (sizeBytes: number) => NativeBuffer,
): Generator<{ readonly start: number; readonly end: number }> {
  const buffer = allocate(HEAD_SIZE);
  const view = new DataView(buffer.bytes.buffer, buffer.bytes.byteOffset, HEAD_SIZE);
  const read = (offset: number, size: number) => {
    if (source.readAt(buffer, 0, size, offset) === size) return;
    throw new FormatError("Cannot read zstd file: it is cut off", { path, offset });
  };
  for (let offset = 0; offset < source.size;) {
    read(offset, 5);
    const magic = view.getUint32(0, true);
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
      read(offset + 4, 4);
      offset += HEAD_SIZE + view.getUint32(0, true);
      continue;
    }
    if (magic !== MAGIC) {
      throw new FormatError("Cannot read zstd file: no frame begins here", { path, offset });
    }
    const start = offset;
    const descriptor = view.getUint8(4);
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const sizeFlag = descriptor >> 6;
    offset += 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_SIZES[descriptor & 3]! +
      (sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_SIZES[sizeFlag]!);
    for (let isLast = false; !isLast;) {
      read(offset, BLOCK_HEADER_SIZE);
      const header = view.getUint16(0, true) | view.getUint8(2) << 16;
      isLast = (header & 1) !== 0;
      offset += BLOCK_HEADER_SIZE + ((header >> 1 & 3) === BLOCK_RLE ? 1 : header >> 3);
    }
    if ((descriptor & 0x04) !== 0) offset += CHECKSUM_SIZE;
    if (offset > source.size) {
      throw new FormatError("Cannot read zstd file: it is cut off", { path, offset: source.size });
    }
    yield { start, end: offset };
  }
}
