/**
 * Where the bytes of a file lay on its disk before its start was cut out: which tells, after a
 * power cut, how far the cut had come.
 *
 * The file system moves one leaf of the file's tree of extents after the other, from the start of
 * the file on. The bytes stay where they are on the disk; only their offsets in the file change. So
 * what of the file is at its old offset still is what has not been moved.
 *
 * @module
 */

import * as v from "valibot";
import * as host from "#ffi/libc/calls.ts";
import type { Extent } from "#ffi/libc/extents.ts";
import { FormatError, OsError } from "#src/errors.ts";
import { readWholeFile } from "#src/io/files/whole_file.ts";
import { replaceTextFile } from "./durable_file.ts";

/** Files in more pieces are not cut. */
export const EXTENTS_MAX = 1 << 16;
const RECORD_SIZE_MAX = 16 << 20;

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const RecordSchema = v.pipe(
  v.array(v.tuple([number, number, number])),
  v.maxLength(EXTENTS_MAX),
);

/** Writes a record, durably. @throws {OsError} */
export function writeExtentRecord(
  directory: string,
  name: string,
  extents: readonly Extent[],
): void {
  const rows = extents.map(({ logical, physical, length }) => [logical, physical, length]);
  replaceTextFile(directory, name, JSON.stringify(rows), { mode: 0o600, durable: true });
}

/** Reads a record; undefined when there is none. @throws {FormatError} @throws {OsError} */
export function readExtentRecord(path: string): Extent[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(readWholeFile(path, RECORD_SIZE_MAX, false)));
  } catch (error) {
    if (error instanceof OsError && error.errno === host.Errno.ENOENT) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  const result = v.safeParse(RecordSchema, value);
  if (!result.success) throw new FormatError("Cannot read record of a file's extents", { path });
  return result.output.map(([logical, physical, length]) => ({ logical, physical, length }));
}

/**
 * Offset in a file from which on nothing was moved yet; undefined when everything was.
 *
 * @param before where its bytes were, in order
 * @param now where they are
 * @param cut bytes at its start that are cut out; they need not be there any more
 * @param path for messages
 * @throws {FormatError} when the file was changed otherwise
 */
export function unmovedFrom(
  before: readonly Extent[],
  now: readonly Extent[],
  cut: number,
  path: string,
): number | undefined {
  const byPlace = before.toSorted((one, other) => one.physical - other.physical);
  let first: number | undefined;
  for (const extent of now) {
    const end = extent.physical + extent.length;
    let known = 0;
    for (let index = firstBehind(byPlace, extent.physical); index < byPlace.length; index++) {
      const old = byPlace[index]!;
      const from = Math.max(old.physical, extent.physical);
      const size = Math.min(old.physical + old.length, end) - from;
      if (size <= 0) break;
      known += size;
      const formerly = old.logical + from - old.physical;
      const at = extent.logical + from - extent.physical;
      // What is cut out, and still there, may lie together with what comes behind it.
      const start = Math.max(formerly, cut);
      if (at === formerly && start < formerly + size) first = Math.min(first ?? start, start);
      else if (at !== formerly && at !== formerly - cut) known = -1;
    }
    if (known === extent.length) continue;
    throw new FormatError("Cannot go on with a file of the diff directory: it was changed", {
      path,
      offset: extent.logical,
    });
  }
  return first;
}

/** Number of the first extent that ends behind a place on the disk. */
function firstBehind(byPlace: readonly Extent[], physical: number): number {
  let low = 0;
  let high = byPlace.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { physical: start, length } = byPlace[middle]!;
    if (start + length > physical) high = middle;
    else low = middle + 1;
  }
  return low;
}
