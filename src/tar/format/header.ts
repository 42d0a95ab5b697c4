/**
 * The header block of a member of a tar archive: ustar, pax, GNU and the oldest form.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";

/** Headers and contents begin at multiples of this. */
export const TAR_BLOCK_SIZE = 512;

/** A range of a sparse file that is stored. */
export interface DataRange {
  /** In the file. */
  readonly offset: number;
  /** Length. */
  readonly size: number;
}

/** A header as it is stored. */
export interface TarHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow the header, without padding. */
  readonly size: number;
  /** Unix seconds. */
  readonly mtime: number;
  /** One character: `0` a file, `5` a directory … */
  readonly type: string;
  readonly linkName: string;
  readonly major: number;
  readonly minor: number;
  /** Of a sparse file of GNU's old form. */
  readonly sparse: OldSparse | undefined;
}

/** What the header of a sparse file of GNU's old form says besides. */
export interface OldSparse {
  readonly ranges: readonly DataRange[];
  readonly realSize: number;
  /** Blocks with further ranges follow. */
  readonly isExtended: boolean;
}

const CHECKSUM_OFFSET = 148;
const CHECKSUM_SIZE = 8;
const SPARSE_OFFSET = 386;
const SPARSE_COUNT = 4;
const SPARSE_SIZE = 24;
const EXTENSION_COUNT = 21;
const SPACE = 32;

/** Whether a block is all zeros, as two are at the end. */
export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** Whether a block is a header, by its checksum. */
export function isHeader(block: Uint8Array): boolean {
  if (block.length < TAR_BLOCK_SIZE || isZeroBlock(block)) return false;
  let sum = 0;
  let signedSum = 0;
  for (let index = 0; index < TAR_BLOCK_SIZE; index++) {
    const isOwn = index >= CHECKSUM_OFFSET && index < CHECKSUM_OFFSET + CHECKSUM_SIZE;
    const byte = isOwn ? SPACE : block[index]!;
    sum += byte;
    signedSum += byte > 127 ? byte - 256 : byte;
  }
  const digits = /^ *([0-7]+)/u.exec(latin(block, CHECKSUM_OFFSET, CHECKSUM_SIZE))?.[1];
  const stored = digits === undefined ? -1 : parseInt(digits, 8);
  return stored === sum || stored === signedSum;
}

/** Reads a header. @throws {FormatError} when a number is none or too large */
export function parseHeader(block: Uint8Array): TarHeader {
  const magic = latin(block, 257, 8);
  const isGnu = magic === "ustar  \0";
  const isPosix = magic.startsWith("ustar\0");
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const type = String.fromCharCode(block[156]!);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: size(block, 124, 12),
    mtime: number(block, 136, 12),
    type: type === "\0" ? "0" : type,
    linkName: text(block, 157, 100),
    major: isGnu || isPosix ? number(block, 329, 8) : 0,
    minor: isGnu || isPosix ? number(block, 337, 8) : 0,
    sparse: type === "S"
      ? {
        ranges: parseRanges(block, SPARSE_OFFSET, SPARSE_COUNT),
        isExtended: block[482] !== 0,
        realSize: size(block, 483, 12),
      }
      : undefined,
  };
}

/** Reads a block with further ranges of a sparse file of GNU's old form. */
export function parseSparseExtension(
  block: Uint8Array,
): { readonly ranges: readonly DataRange[]; readonly isExtended: boolean } {
  return { ranges: parseRanges(block, 0, EXTENSION_COUNT), isExtended: block[504] !== 0 };
}

function parseRanges(block: Uint8Array, start: number, count: number): DataRange[] {
  const ranges: DataRange[] = [];
  for (let index = 0; index < count; index++) {
    const offset = start + index * SPARSE_SIZE;
    if (block[offset] === 0) break;
    ranges.push({ offset: size(block, offset, 12), size: size(block, offset + 12, 12) });
  }
  return ranges;
}

/** Octal digits, or GNU's binary form for what does not fit. */
function number(block: Uint8Array, offset: number, length: number): number {
  const first = block[offset]!;
  if ((first & 0x80) !== 0) {
    let value = (first & 0x40) !== 0 ? -1 : first & 0x3f;
    for (let index = offset + 1; index < offset + length; index++) {
      value = value * 256 + block[index]!;
    }
    if (Number.isSafeInteger(value)) return value;
    throw new FormatError("Cannot read tar archive: a number in a header is too large");
  }
  const digits = latin(block, offset, length).replace(/\0[^]*$/u, "").trim();
  if (/^[0-7]*$/u.test(digits)) return digits === "" ? 0 : parseInt(digits, 8);
  throw new FormatError(
    "Cannot read tar archive: a header has something else where a number belongs",
  );
}

function size(block: Uint8Array, offset: number, length: number): number {
  const value = number(block, offset, length);
  if (value >= 0) return value;
  throw new FormatError("Cannot read tar archive: a size in a header is negative");
}

function text(block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return decodeFileName(end < 0 ? field : field.subarray(0, end));
}

function latin(block: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...block.subarray(offset, offset + length));
}
