/**
 * What SEEK_DATA and SEEK_HOLE may answer, whoever does.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";

/** A search in a file; `undefined` says that nothing but a hole follows. */
export interface HoleFinder {
  nextData(offset: number): number | undefined;
  nextHole(offset: number): number;
}

/** A range that is data. */
export type DataRange = readonly [start: number, end: number];

/** Goes through a file as `cp` and `tar` do. */
export function dataRanges(file: HoleFinder, size: number): DataRange[] {
  const ranges: DataRange[] = [];
  for (let position = 0; position < size;) {
    const start = file.nextData(position);
    if (start === undefined || start >= size) break;
    ok(start >= position, `data at ${start} is before ${position}`);
    const end = file.nextHole(start);
    ok(end > start && end <= size, `hole at ${end} behind data at ${start} of ${size}`);
    ranges.push([start, end]);
    position = end;
  }
  return ranges;
}

/** Nothing but zeros is outside of the ranges. */
export function checkHolesAreZeros(ranges: readonly DataRange[], bytes: Uint8Array): void {
  let position = 0;
  for (const [start, end] of [...ranges, [bytes.length, bytes.length] as const]) {
    const hole = bytes.subarray(position, start);
    equal(hole.findIndex((byte) => byte !== 0), -1, `hole from ${position} to ${start}`);
    position = end;
  }
}

/** Ranges of blocks that are not only zeros: the most that can be told. */
export function blockRanges(bytes: Uint8Array, blockSize: number): DataRange[] {
  const ranges: [number, number][] = [];
  for (let start = 0; start < bytes.length; start += blockSize) {
    const end = Math.min(start + blockSize, bytes.length);
    if (bytes.subarray(start, end).every((byte) => byte === 0)) continue;
    const last = ranges.at(-1);
    if (last?.[1] === start) last[1] = end;
    else ranges.push([start, end]);
  }
  return ranges;
}
