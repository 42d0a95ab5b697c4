/**
 * libc: the local time, by the zone of `TZ` or `/etc/localtime`.
 *
 * The runtime finds its zone by the name that `/etc/localtime` links to and knows no zone files and
 * no rules in `TZ`; the C library does, and is what `date` and servers ask.
 *
 * @module
 */

import { encodeCString, SCRATCH_A } from "./c_string.ts";
import { failed, libcWith } from "./library.ts";

const SYMBOLS = {
  tzset: { parameters: [], result: "void" },
  localtime_r: {
    parameters: [
      "buffer", // const time_t *timep
      "buffer", // struct tm *result
    ],
    result: "pointer",
  },
  mktime: {
    parameters: ["buffer"], // struct tm *tm
    result: "i64",
  },
  getenv: { parameters: ["buffer"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/**
 * struct tm of glibc, the same on x86-64 and arm64: nine int, padding, long tm_gmtoff, const char
 * *tm_zone.
 */
const TM_SIZE = 56;
const OFFSET_AT = 40;
const FIRST_YEAR = 1900;
/** tm_isdst: whether it is summer time is to be found out. */
const UNKNOWN = -1;

/** A moment as clocks and calendars of the local zone show it. */
export interface LocalTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** Seconds east of UTC. */
  readonly offsetSeconds: number;
}

const tm = new Int32Array(TM_SIZE / 4);
const tmBytes = new Uint8Array(tm.buffer);
const tmView = new DataView(tm.buffer);
const time = new BigInt64Array(1);
const timeBytes = new Uint8Array(time.buffer);
let isZoneSet = false;

/** localtime_r(3) of whole seconds since 1970; a negative errno where the year has no number. */
export function localTimeAt(seconds: number): LocalTime | number {
  setZone();
  time[0] = BigInt(seconds);
  if (libc().localtime_r(timeBytes, tmBytes) === null) return failed();
  return {
    second: tm[0]!,
    minute: tm[1]!,
    hour: tm[2]!,
    day: tm[3]!,
    month: tm[4]! + 1,
    year: tm[5]! + FIRST_YEAR,
    weekday: tm[6]!,
    offsetSeconds: Number(tmView.getBigInt64(OFFSET_AT, true)),
  };
}

/** mktime(3): seconds since 1970 of a local time. */
export function secondsOfLocalTime(
  { year, month, day, hour, minute, second }: Omit<LocalTime, "weekday" | "offsetSeconds">,
): number {
  setZone();
  tm.fill(0);
  tm.set([second, minute, hour, day, month - 1, year - FIRST_YEAR]);
  tm[8] = UNKNOWN;
  return Number(libc().mktime(tmBytes));
}

/** getenv(3): a variable as the C library sees it. */
export function environmentVariable(name: string): string | undefined {
  const value = libc().getenv(encodeCString(name, SCRATCH_A)!);
  return value === null ? undefined : new Deno.UnsafePointerView(value).getCString();
}

/** localtime_r(3) need not look at TZ by itself. */
function setZone(): void {
  if (isZoneSet) return;
  libc().tzset();
  isZoneSet = true;
}
