/**
 * Partial files: how a changed file of the lower tree lies in the diff directory
 * (docs/diff-directory.md).
 *
 * A partial file is a sparse file of the diff's `data/` with a header, two block maps and then the
 * file's bytes at their own offsets. Everything that is needed to read it is inside of it, so that
 * rename, link and unlink of a changed file are one host operation each and stay atomic.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 8 | magic `PBKFSPRT` |
 * | 8 | 16 | nonce of the diff directory: what no user of the mount can know |
 * | 24 | u32 | version, 1 |
 * | 28 | u32 | block size, 8192 |
 * | 32 | u32 | data offset |
 * | 36 | u32 | number of blocks in the map: all blocks of the lower file |
 * | 40 | u64 | visible size: bytes of the lower file that are still visible |
 * | 48 | 16 | boot id under which the working map was last written |
 * | 64 | u32 | length of the lower path |
 * | 68 | u32 | CRC-32C of bytes 0–39 and the path |
 * | 72 | … | path in the lower tree, without a leading slash |
 *
 * The working map follows at the next multiple of 4096, the durable map at the next after that, the
 * data after that. Bit `n & 7` of byte `n >> 3` is set when block n is in this file. Blocks beyond
 * the map always are.
 *
 * Integers are little-endian. Pure: bytes in, values out.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { crc32c } from "#src/bytes/crc32c.ts";
import { FormatError, LimitError } from "#src/errors.ts";

/** Unit of copy-on-write: PostgreSQL's page. */
export const BLOCK_SIZE = 8192;
/** Length of the diff directory's nonce. */
export const NONCE_SIZE = 16;
/** Length of a boot id. */
export const BOOT_ID_SIZE = 16;
/** A partial file is recognised by so many bytes. */
export const SIGNATURE_SIZE = 24;
/** Offset of the visible size, which is written alone when it shrinks. */
export const VISIBLE_SIZE_OFFSET = 40;
/** Offset of the boot id, which is written alone. */
export const BOOT_ID_OFFSET = 48;

/** A partial file begins with it. */
export const MAGIC: Uint8Array = new TextEncoder().encode("PBKFSPRT");
const VERSION = 1;
const ALIGNMENT = 4096;
const PATH_OFFSET = 72;
/** Most blocks of a lower file: 8 TiB. */
const MAP_BLOCKS_MAX = 2 ** 30;
/** A header with a path is at most so long. */
export const HEADER_SIZE_MAX = 8192;
const PATH_SIZE_MAX = HEADER_SIZE_MAX - PATH_OFFSET;

/** What the header of a partial file says. */
export interface PartialHeader {
  /** Path in the lower tree, without a leading slash. */
  readonly lowerPath: string;
  /** Number of blocks in each map. */
  readonly mapBlocks: number;
  /** Bytes of the lower file that are still visible. */
  readonly visibleSize: number;
  readonly bootId: Uint8Array;
}

/** Where the parts of a partial file are, in bytes. */
export interface PartialLayout {
  readonly headerSize: number;
  readonly mapSize: number;
  readonly workingMapOffset: number;
  readonly durableMapOffset: number;
  readonly dataOffset: number;
}

function align(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** Number of blocks that a file of `size` bytes has. */
export function blockCount(size: number): number {
  return Math.ceil(size / BLOCK_SIZE);
}

function layoutOf(pathSize: number, mapBlocks: number): PartialLayout {
  const headerSize = align(PATH_OFFSET + pathSize);
  const mapSize = Math.ceil(mapBlocks / 8);
  return {
    headerSize,
    mapSize,
    workingMapOffset: headerSize,
    durableMapOffset: headerSize + align(mapSize),
    dataOffset: headerSize + 2 * align(mapSize),
  };
}

/**
 * Layout of a partial file whose data begin at `dataOffset`: the inverse of what the header was
 * made from.
 */
export function layoutFromDataOffset(dataOffset: number, mapBlocks: number): PartialLayout {
  const mapSize = Math.ceil(mapBlocks / 8);
  const headerSize = dataOffset - 2 * align(mapSize);
  return {
    headerSize,
    mapSize,
    workingMapOffset: headerSize,
    durableMapOffset: headerSize + align(mapSize),
    dataOffset,
  };
}

/**
 * Encodes a header, padded to the start of the working map.
 *
 * @throws {LimitError} when the path or the file is too long
 */
export function encodePartialHeader(
  header: PartialHeader,
  nonce: Uint8Array,
): { bytes: Uint8Array<ArrayBuffer>; layout: PartialLayout } {
  const path = encodeFileName(header.lowerPath);
  if (path.length > PATH_SIZE_MAX) {
    throw new LimitError(`Cannot keep changes of a file whose path has ${path.length} bytes`);
  }
  if (header.mapBlocks > MAP_BLOCKS_MAX) {
    throw new LimitError(`Cannot keep changes of a file of ${header.mapBlocks} blocks`);
  }
  const layout = layoutOf(path.length, header.mapBlocks);
  const bytes = new Uint8Array(layout.headerSize);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  bytes.set(nonce, 8);
  view.setUint32(24, VERSION, true);
  view.setUint32(28, BLOCK_SIZE, true);
  view.setUint32(32, layout.dataOffset, true);
  view.setUint32(36, header.mapBlocks, true);
  view.setBigUint64(VISIBLE_SIZE_OFFSET, BigInt(header.visibleSize), true);
  bytes.set(header.bootId, BOOT_ID_OFFSET);
  view.setUint32(64, path.length, true);
  bytes.set(path, PATH_OFFSET);
  view.setUint32(68, headerChecksum(bytes, path.length), true);
  return { bytes, layout };
}

/** Whether a file that begins with `bytes` is a partial file of the diff with that nonce. */
export function isPartialFile(bytes: Uint8Array, length: number, nonce: Uint8Array): boolean {
  if (length < SIGNATURE_SIZE) return false;
  for (let i = 0; i < MAGIC.length; i++) if (bytes[i] !== MAGIC[i]) return false;
  for (let i = 0; i < NONCE_SIZE; i++) if (bytes[8 + i] !== nonce[i]) return false;
  return true;
}

/**
 * Decodes the header in the first `length` bytes of a partial file (see {@link isPartialFile}).
 *
 * @param fileSize size of the whole file on the host
 * @param path name for messages
 * @throws {FormatError} when it is damaged
 */
export function decodePartialHeader(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
  fileSize: number,
  path: string,
): PartialHeader & { layout: PartialLayout } {
  if (length < PATH_OFFSET) {
    throw new FormatError("Cannot read changed file: it ends inside the header", {
      path,
      offset: length,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const corrupt = (what: string, offset: number) =>
    new FormatError(`Cannot read changed file: ${what}`, { path, offset });
  if (view.getUint32(24, true) !== VERSION) {
    throw new FormatError(`Cannot read changed file: unknown version ${view.getUint32(24, true)}`, {
      path,
      offset: 24,
      code: "unsupported",
    });
  }
  if (view.getUint32(28, true) !== BLOCK_SIZE) throw corrupt("wrong block size", 28);
  const pathSize = view.getUint32(64, true);
  if (pathSize > PATH_SIZE_MAX || PATH_OFFSET + pathSize > length) {
    throw corrupt("path too long", 64);
  }
  if (view.getUint32(68, true) !== headerChecksum(bytes, pathSize)) {
    throw corrupt("header checksum differs", 68);
  }
  const mapBlocks = view.getUint32(36, true);
  const layout = layoutOf(pathSize, mapBlocks);
  if (mapBlocks > MAP_BLOCKS_MAX || view.getUint32(32, true) !== layout.dataOffset) {
    throw corrupt("data offset and map do not fit", 32);
  }
  if (fileSize < layout.dataOffset) throw corrupt("file ends inside the block map", fileSize);
  const visibleSize = Number(view.getBigUint64(VISIBLE_SIZE_OFFSET, true));
  if (visibleSize > mapBlocks * BLOCK_SIZE) throw corrupt("visible size exceeds map", 40);
  return {
    lowerPath: decodeFileName(bytes.subarray(PATH_OFFSET, PATH_OFFSET + pathSize)),
    mapBlocks,
    visibleSize,
    bootId: bytes.slice(BOOT_ID_OFFSET, BOOT_ID_OFFSET + BOOT_ID_SIZE),
    layout,
  };
}

/** CRC of what never changes: the fields before the visible size, and the path. */
function headerChecksum(bytes: Uint8Array, pathSize: number): number {
  const immutable = new Uint8Array(VISIBLE_SIZE_OFFSET + pathSize);
  immutable.set(bytes.subarray(0, VISIBLE_SIZE_OFFSET));
  immutable.set(bytes.subarray(PATH_OFFSET, PATH_OFFSET + pathSize), VISIBLE_SIZE_OFFSET);
  return crc32c(immutable);
}
