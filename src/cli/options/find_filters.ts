/**
 * What `find` looks for: types, sizes and times as people write them.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { localSeconds } from "#src/io/local_time.ts";
import { FileType, type Node } from "#src/tree/node.ts";
import type { FindOptions } from "./find_options.ts";

/** Whether an entry is looked for. */
export type EntryFilter = (entry: Node) => boolean;

/** Whether an entry has all that is asked for. @throws {UsageError} for options that say nothing */
export function findFilter({ type, size, mtime, newer, older }: FindOptions): EntryFilter {
  const filters = [
    type === undefined ? undefined : parseTypes(type),
    size === undefined ? undefined : parseSize(size),
    mtime === undefined ? undefined : parseAge(mtime, Date.now()),
    newer === undefined ? undefined : parseNewer(newer),
    older === undefined ? undefined : parseOlder(older),
  ].filter((filter) => filter !== undefined);
  return (entry) => filters.every((filter) => filter(entry));
}

const TYPE_FILTERS: Readonly<Record<string, EntryFilter>> = {
  f: (entry) => entry.kind === "file",
  d: (entry) => entry.kind === "directory",
  l: (entry) => entry.kind === "symlink",
  b: (entry) => isDevice(entry, FileType.BLOCK_DEVICE),
  c: (entry) => isDevice(entry, FileType.CHARACTER_DEVICE),
  p: (entry) => entry.kind === "fifo",
  s: (entry) => entry.kind === "socket",
};

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  c: 1,
  k: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

const DAY_S = 86_400;

/** `f`, `d`, `l`, `b`, `c`, `p`, `s`, several together or with commas. @throws {UsageError} */
function parseTypes(text: string): EntryFilter {
  const letters = [...text.replaceAll(",", "")];
  if (letters.length === 0 || !letters.every((letter) => Object.hasOwn(TYPE_FILTERS, letter))) {
    throw wrong("--type", text, "expected letters of f, d, l, b, c, p, s");
  }
  return (entry) => letters.some((letter) => TYPE_FILTERS[letter]!(entry));
}

/** `+1M` more than, `-1k` less than, `13` exactly; only files have a size. @throws {UsageError} */
function parseSize(text: string): EntryFilter {
  const [, sign, digits, unit] = /^([+-]?)(\d{1,15})([ckMGT]?)$/u.exec(text) ?? [];
  if (digits === undefined) throw wrong("--size", text, "expected [+-]NUMBER[c|k|M|G|T]");
  const size = Number(digits) * UNITS[unit!]!;
  return (entry) => entry.kind === "file" && compares(sign!, entry.attributes.size, size);
}

/**
 * `+7` changed more than seven days ago, `-7` less, `7` seven to eight days ago.
 *
 * @throws {UsageError}
 */
function parseAge(text: string, nowMs: number): EntryFilter {
  const [, sign, digits] = /^([+-]?)(\d{1,6})$/u.exec(text) ?? [];
  if (digits === undefined) throw wrong("--mtime", text, "expected [+-]DAYS");
  const days = Number(digits);
  return ({ metadata }) => {
    const age = Math.floor((nowMs / 1000 - metadata.mtime.seconds) / DAY_S);
    return compares(sign!, age, days);
  };
}

/** Changed at this time or after it. @throws {UsageError} */
export function parseNewer(text: string): EntryFilter {
  const seconds = parseTime("--newer", text);
  return ({ metadata }) => metadata.mtime.seconds >= seconds;
}

/** Changed before this time. @throws {UsageError} */
function parseOlder(text: string): EntryFilter {
  const seconds = parseTime("--older", text);
  return ({ metadata }) => metadata.mtime.seconds < seconds;
}

function compares(sign: string, value: number, limit: number): boolean {
  if (sign === "+") return value > limit;
  return sign === "-" ? value < limit : value === limit;
}

function isDevice(entry: Node, type: number): boolean {
  return entry.kind === "device" && (entry.metadata.mode & FileType.MASK) === type;
}

const DATE_AND_TIME =
  /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/u;

/** Local time unless a zone is given; a date alone is its first moment. */
function parseTime(option: string, text: string): number {
  const [, date, clock = "00:00", second = ":00", zone] = DATE_AND_TIME.exec(text) ?? [];
  const time = new Date(`${date}T${clock}${second}${zone ?? "Z"}`);
  if (Number.isNaN(time.getTime())) throw wrong(option, text, "expected YYYY-MM-DD[ HH:MM[:SS]]");
  if (zone !== undefined) return time.getTime() / 1000;
  const whole = localSeconds({
    year: time.getUTCFullYear(),
    month: time.getUTCMonth() + 1,
    day: time.getUTCDate(),
    hour: time.getUTCHours(),
    minute: time.getUTCMinutes(),
    second: time.getUTCSeconds(),
  });
  return whole + time.getUTCMilliseconds() / 1000;
}

function wrong(option: string, text: string, expected: string): UsageError {
  return new UsageError(`Cannot use "${text}" for ${option}: ${expected}`, { option });
}
