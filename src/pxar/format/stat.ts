/**
 * Contents of ENTRY and ENTRY_V1.
 *
 * | offset | size | ENTRY | ENTRY_V1 |
 * |-------:|-----:|-------|----------|
 * | 0 | 8 | mode | mode |
 * | 8 | 8 | flags | flags |
 * | 16 | 4 | uid | uid |
 * | 20 | 4 | gid | gid |
 * | 24 | 8 | seconds, signed | nanoseconds since 1970, unsigned |
 * | 32 | 4 | nanoseconds | |
 * | 36 | 4 | zero | |
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { readInt64, writeInt64 } from "./integers.ts";

/** Size of an ENTRY's content. */
export const STAT_SIZE = 40;

const NANOSECONDS_PER_SECOND = 1_000_000_000;

/** File type, set-id bits and permissions. */
const MODE_MAX = 0o177777;

/** The metadata of stat(2), and the attributes of chattr(1) and FAT. */
export interface Stat {
  readonly mode: number;
  readonly flags: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
}

/** Writes the content of an ENTRY. */
export function encodeStat(view: DataView, offset: number, stat: Stat): void {
  writeInt64(view, offset, stat.mode);
  view.setBigUint64(offset + 8, stat.flags, true);
  view.setUint32(offset + 16, stat.uid, true);
  view.setUint32(offset + 20, stat.gid, true);
  writeInt64(view, offset + 24, stat.mtime.seconds);
  view.setUint32(offset + 32, stat.mtime.nanoseconds, true);
  view.setUint32(offset + 36, 0, true);
}

/**
 * Reads the content of an ENTRY.
 *
 * @throws {FormatError} `bad-timestamp`, `type-mismatch` (a mode of more than 16 bits)
 */
export function decodeStat(view: DataView, offset: number): Stat {
  const nanoseconds = view.getUint32(offset + 32, true);
  if (nanoseconds >= NANOSECONDS_PER_SECOND) {
    throw new FormatError(`Cannot read time: ${nanoseconds} nanoseconds`, {
      code: "bad-timestamp",
    });
  }
  const seconds = readInt64(view, offset + 24);
  if (!Number.isSafeInteger(seconds)) {
    throw new FormatError(`Cannot read time: ${seconds} seconds`, { code: "bad-timestamp" });
  }
  return decodeCommon(view, offset, { seconds, nanoseconds });
}

/**
 * Reads the content of an ENTRY_V1.
 *
 * @throws {FormatError} `type-mismatch` (a mode of more than 16 bits)
 */
export function decodeStatV1(view: DataView, offset: number): Stat {
  const time = view.getBigUint64(offset + 24, true);
  return decodeCommon(view, offset, {
    seconds: Number(time / BigInt(NANOSECONDS_PER_SECOND)),
    nanoseconds: Number(time % BigInt(NANOSECONDS_PER_SECOND)),
  });
}

function decodeCommon(view: DataView, offset: number, mtime: Stat["mtime"]): Stat {
  const mode = view.getUint32(offset, true);
  if (mode > MODE_MAX || view.getUint32(offset + 4, true) !== 0) {
    throw new FormatError("Cannot read mode: more than 16 bits", { code: "type-mismatch" });
  }
  const flagsLow = view.getUint32(offset + 8, true);
  const hasFlags = flagsLow !== 0 || view.getUint32(offset + 12, true) !== 0;
  return {
    mode,
    flags: hasFlags ? view.getBigUint64(offset + 8, true) : 0n,
    uid: view.getUint32(offset + 16, true),
    gid: view.getUint32(offset + 20, true),
    mtime,
  };
}
