/**
 * The records of a pax header: `LENGTH KEY=VALUE`, each with a newline at its end.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";
import type { DataRange } from "./header.ts";

/** Records by key, the last one of a key; and ranges of a sparse file that are told one by one. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly ranges: readonly DataRange[];
}

const SPACE = 32;
const EQUALS = 61;
const NEWLINE = 10;
const DIGITS_MAX = 10;

/** Reads records. @throws {FormatError} */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const values = new Map<string, Uint8Array>();
  const ranges: DataRange[] = [];
  let rangeOffset = 0;
  for (let start = 0; start < bytes.length;) {
    const space = bytes.indexOf(SPACE, start);
    const digits = decodeFileName(bytes.subarray(start, Math.min(space, start + DIGITS_MAX)));
    const end = start + Number(digits);
    const equals = bytes.indexOf(EQUALS, space);
    const isSound = space > start && space - start <= DIGITS_MAX && /^\d+$/u.test(digits) &&
      equals > space && equals < end && end <= bytes.length && bytes[end - 1] === NEWLINE;
    if (!isSound) throw new FormatError("Cannot read tar archive: a pax record is malformed");
    const key = decodeFileName(bytes.subarray(space + 1, equals));
    const value = bytes.slice(equals + 1, end - 1);
    if (key === "GNU.sparse.offset") rangeOffset = paxNumber(value);
    else if (key === "GNU.sparse.numbytes") {
      ranges.push({ offset: rangeOffset, size: paxNumber(value) });
    } else values.set(key, value);
    start = end;
  }
  return { values, ranges };
}

/** A whole number that is not negative. @throws {FormatError} */
export function paxNumber(value: Uint8Array): number {
  const text = decodeFileName(value);
  if (/^\d{1,16}$/u.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new FormatError(`Cannot read tar archive: "${text.slice(0, 32)}" is not a whole number`);
}

/** A time in seconds with a fraction. @throws {FormatError} */
export function paxTime(value: Uint8Array): { seconds: number; nanoseconds: number } {
  const text = decodeFileName(value);
  const [, sign, whole, fraction = ""] = /^(-?)(\d{1,15})(?:\.(\d*))?$/u.exec(text) ?? [];
  if (whole === undefined) {
    throw new FormatError(`Cannot read tar archive: "${text.slice(0, 32)}" is not a time`);
  }
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds: Number(whole), nanoseconds };
  return nanoseconds === 0
    ? { seconds: -Number(whole), nanoseconds: 0 }
    : { seconds: -Number(whole) - 1, nanoseconds: 1e9 - nanoseconds };
}

/** `OFFSET,SIZE,OFFSET,SIZE…` or, one number a line, behind their count. @throws {FormatError} */
export function pairRanges(numbers: readonly number[]): DataRange[] {
  if (numbers.length % 2 !== 0) {
    throw new FormatError("Cannot read tar archive: a map of a sparse file is cut off");
  }
  const ranges: DataRange[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    ranges.push({ offset: numbers[index]!, size: numbers[index + 1]! });
  }
  return ranges;
}
