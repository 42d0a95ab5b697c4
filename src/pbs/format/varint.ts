/**
 * Numbers of variable length: seven bits a byte, lowest first; a set high bit says that more
 * follows.
 *
 * A negative number is its magnitude with the high bit set in every byte, then a zero byte. The
 * largest is one byte longer than the largest positive one.
 *
 * @module
 */

import { FormatError, UsageError } from "#src/errors.ts";

const UNSIGNED_SIZE_MAX = 10;
const SIGNED_SIZE_MAX = 11;
const U64_MAX = (1n << 64n) - 1n;
const I64_MIN = -(1n << 63n);
const I64_MAX = (1n << 63n) - 1n;

/** Bytes and a position that reading advances. */
export interface VarintCursor {
  readonly bytes: Uint8Array;
  offset: number;
}

/** Bytes of an unsigned number. */
export function encodeUnsigned(value: number | bigint): number[] {
  if (!(value >= 0 && value <= U64_MAX)) throw new UsageError(`Cannot write ${value} as unsigned`);
  const bytes: number[] = [];
  if (typeof value === "bigint") {
    for (; value > 0x7fn; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  } else {
    for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push(value % 128 + 0x80);
  }
  bytes.push(Number(value));
  return bytes;
}

/** Bytes of a signed number. */
export function encodeSigned(value: number | bigint): number[] {
  if (!(value >= I64_MIN && value <= I64_MAX)) {
    throw new UsageError(`Cannot write ${value} as signed`);
  }
  if (value >= 0) return encodeUnsigned(value);
  return [...encodeUnsigned(-value).map((byte) => byte | 0x80), 0];
}

/**
 * Reads an unsigned number.
 *
 * @throws {FormatError} when it does not end, or is larger than 64 bits
 */
export function readUnsigned(cursor: VarintCursor): bigint {
  const end = Math.min(cursor.bytes.length, cursor.offset + UNSIGNED_SIZE_MAX);
  let value = 0n;
  let shift = 0n;
  while (cursor.offset < end) {
    const byte = cursor.bytes[cursor.offset++]!;
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      if (value > U64_MAX) break;
      return value;
    }
  }
  throw new FormatError("Cannot read number: it is cut off or too long", { offset: cursor.offset });
}

/**
 * Reads a signed number.
 *
 * @throws {FormatError} when it does not end, or is larger than 64 bits
 */
export function readSigned(cursor: VarintCursor): bigint {
  const end = Math.min(cursor.bytes.length, cursor.offset + SIGNED_SIZE_MAX);
  let value = 0n;
  let shift = 0n;
  while (cursor.offset < end) {
    const byte = cursor.bytes[cursor.offset++]!;
    const isEnd = byte < 0x80;
    if (byte === 0) value = -value;
    else value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (isEnd) {
      if (value < I64_MIN || value > I64_MAX) break;
      return value;
    }
  }
  throw new FormatError("Cannot read number: it is cut off or too long", { offset: cursor.offset });
}

/**
 * Reads an unsigned number that has to be exact here.
 *
 * @throws {FormatError} when it does not end, or is above 2^53 - 1
 */
export function readSafeUnsigned(cursor: VarintCursor): number {
  const { bytes, offset } = cursor;
  // Nearly all are of one to four bytes, for which no big integer is needed.
  let value = 0;
  for (let index = 0; index < 4 && offset + index < bytes.length; index++) {
    const byte = bytes[offset + index]!;
    value += (byte & 0x7f) << (7 * index);
    if (byte < 0x80) {
      cursor.offset = offset + index + 1;
      return value;
    }
  }
  const large = readUnsigned(cursor);
  if (large > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(`Cannot read number: ${large} is too large`, { offset });
  }
  return Number(large);
}
