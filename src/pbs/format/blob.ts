/**
 * The header of blobs: of chunk files, and of every `*.blob` file.
 *
 * | offset | size | field                                                                     |
 * | ------ | ---- | ------------------------------------------------------------------------- |
 * | 0      | 8    | magic: plain, compressed, encrypted, or both                              |
 * | 8      | 4    | CRC-32 of everything after the header                                     |
 * | 12     | 16   | initialization vector, where encrypted                                    |
 * | 28     | 16   | authentication tag, where encrypted                                       |
 *
 * Source: Proxmox Backup 3.4, data blobs. Little-endian.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** Header of a blob that is not encrypted. */
export const BLOB_HEADER_SIZE = 12;
/** Header of an encrypted blob. */
export const ENCRYPTED_BLOB_HEADER_SIZE = 44;
/** Most plain bytes of a blob. */
export const BLOB_DATA_SIZE_MAX = 128 << 20;
/** Bytes of an initialization vector. */
export const BLOB_IV_SIZE = 16;

const CRC_OFFSET = 8;
const IV_OFFSET = 12;
const TAG_OFFSET = 28;

/** What was done to the data, compression first. */
export interface BlobKind {
  readonly isCompressed: boolean;
  readonly isEncrypted: boolean;
}

/** A parsed header. */
export interface BlobHeader extends BlobKind {
  readonly headerSize: number;
  readonly crc: number;
  /** 16 bytes each; empty where the blob is not encrypted. */
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly tag: Uint8Array<ArrayBuffer>;
}

interface Magic extends BlobKind {
  /** The eight bytes as two little-endian numbers. */
  readonly low: number;
  readonly high: number;
}

/** Each is the start of the SHA-256 of `Proxmox Backup … blob v1.0`. */
const MAGICS: readonly Magic[] = [
  { isCompressed: false, isEncrypted: false, low: 0x0738ab42, high: 0xa17083be },
  { isCompressed: true, isEncrypted: false, low: 0x4258b931, high: 0x7fa3b66f },
  { isCompressed: false, isEncrypted: true, low: 0xbe85677b, high: 0xf04c2d22 },
  { isCompressed: true, isEncrypted: true, low: 0xbf1b59e6, high: 0x0bd8bf0b },
];

const NOTHING = new Uint8Array(0);

/** Bytes of the header of such a blob. */
export function blobHeaderSize(isEncrypted: boolean): number {
  return isEncrypted ? ENCRYPTED_BLOB_HEADER_SIZE : BLOB_HEADER_SIZE;
}

/**
 * Whether a blob of `plainSize` bytes, which are not 0, can have so many in its file: it is
 * compressed only where that is less.
 */
export function isPossibleBlobSize(
  storedSize: number,
  plainSize: number,
  isEncrypted: boolean,
): boolean {
  const contentSize = storedSize - blobHeaderSize(isEncrypted);
  return contentSize > 0 && contentSize <= plainSize;
}

/**
 * What kind of blob the bytes begin with; the CRC is not looked at.
 *
 * @param size bytes of the blob from `start` on; enough for the header
 * @throws {FormatError} when they are no blob
 */
export function parseBlobHeader(
  bytes: Uint8Array<ArrayBuffer>,
  start = 0,
  size = bytes.length - start,
): BlobHeader {
  if (size < BLOB_HEADER_SIZE) throw tooShort(size, BLOB_HEADER_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, size);
  const low = view.getUint32(0, true);
  const high = view.getUint32(4, true);
  const magic = MAGICS.find((known) => known.low === low && known.high === high);
  if (magic === undefined) {
    const seen = bytes.subarray(start, start + CRC_OFFSET).toHex();
    throw new FormatError(`Cannot read blob: unknown magic ${seen}`);
  }
  const { isCompressed, isEncrypted } = magic;
  const headerSize = blobHeaderSize(isEncrypted);
  if (size < headerSize) throw tooShort(size, headerSize);
  const at = (offset: number) => bytes.slice(start + offset, start + offset + BLOB_IV_SIZE);
  return {
    isCompressed,
    isEncrypted,
    headerSize,
    crc: view.getUint32(CRC_OFFSET, true),
    iv: isEncrypted ? at(IV_OFFSET) : NOTHING,
    tag: isEncrypted ? at(TAG_OFFSET) : NOTHING,
  };
}

/** Writes a header to `target` from `start` on. */
export function encodeBlobHeader(
  header: Omit<BlobHeader, "headerSize">,
  target: Uint8Array<ArrayBuffer>,
  start: number,
): void {
  const { isCompressed, isEncrypted, crc, iv, tag } = header;
  const magic = MAGICS.find((known) =>
    known.isCompressed === isCompressed && known.isEncrypted === isEncrypted
  )!;
  const size = blobHeaderSize(isEncrypted);
  const view = new DataView(target.buffer, target.byteOffset + start, size);
  view.setUint32(0, magic.low, true);
  view.setUint32(4, magic.high, true);
  view.setUint32(CRC_OFFSET, crc, true);
  if (!isEncrypted) return;
  target.set(iv, start + IV_OFFSET);
  target.set(tag, start + TAG_OFFSET);
}

/** Changes the CRC of the blob that begins at `start`. */
export function setBlobCrc(bytes: Uint8Array<ArrayBuffer>, start: number, crc: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(start + CRC_OFFSET, crc, true);
}

function tooShort(size: number, needed: number): FormatError {
  return new FormatError(`Cannot read blob: it has ${size} bytes, its header needs ${needed}`);
}
