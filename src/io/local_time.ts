/**
 * The local time of this system: asked of the C library where FFI is allowed, else of the runtime.
 *
 * @module
 */

import { hostFiles } from "./files/files.ts";
import {
  environmentVariable,
  type LocalTime,
  localTimeAt,
  secondsOfLocalTime,
} from "#ffi/libc/local_time.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { isZoneFile, isZoneRule } from "#src/bytes/time_zone.ts";
import { Failure, OsError, UsageError } from "#src/errors.ts";
import { mayUseFfi } from "./ffi_permission.ts";
import * as host from "#ffi/libc/calls.ts";

export type { LocalTime };

/** Where zones are by their names, unless TZDIR says otherwise. */
const ZONES_PATH = "/usr/share/zoneinfo";
const SYSTEM_ZONE_PATH = "/etc/localtime";
const ZONE_FILE_SIZE_MAX = 1 << 20;

/**
 * What clocks and calendars show at a time in seconds since 1970.
 *
 * @throws {RangeError} for times that the runtime's calendar does not have (more than 273,790 years
 *   away)
 */
export function localTime(seconds: number): LocalTime {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new RangeError(`There is no date for ${seconds} s`);
  if (mayUseFfi) {
    const time = localTimeAt(Math.floor(seconds));
    if (typeof time === "number") throw new OsError(-time, "localtime", SYSTEM_ZONE_PATH);
    return time;
  }
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    weekday: date.getDay(),
    offsetSeconds: -60 * date.getTimezoneOffset(),
  };
}

/** Seconds since 1970 of a moment by the local clock; of one that comes twice, either. */
export function localSeconds(time: Omit<LocalTime, "weekday" | "offsetSeconds">): number {
  if (mayUseFfi) return secondsOfLocalTime(time);
  const { year, month, day, hour, minute, second } = time;
  return new Date(year, month - 1, day, hour, minute, second).getTime() / 1000;
}

/**
 * Checks that the local time is what the user or the system wants it to be: for whoever removes
 * something by it. A zone that the C library does not know is UTC to it.
 *
 * @throws {UsageError} `time-zone` when `TZ` is neither a zone nor a rule, or there is no zone
 *   behind `/etc/localtime`
 */
export function checkTimeZone(): void {
  if (mayUseFfi) checkSystemZone();
  else checkRuntimeZone();
}

function checkSystemZone(): void {
  const text = environmentVariable("TZ");
  if (text === undefined) {
    // A system without the file has UTC.
    if (hostFiles.status(SYSTEM_ZONE_PATH, false) === undefined || isZoneAt(SYSTEM_ZONE_PATH)) {
      return;
    }
    const isDangling = hostFiles.status(SYSTEM_ZONE_PATH) === undefined;
    const name = linkTarget(SYSTEM_ZONE_PATH).replace(/^.*\/zoneinfo\//u, "");
    if (isDangling && isNameOfUtc(name)) return;
    throw unknownZone(`"${SYSTEM_ZONE_PATH}" leads to no zone file`);
  }
  const name = text.replace(/^:/u, "");
  const directory = environmentVariable("TZDIR") || ZONES_PATH;
  const path = name.startsWith("/") ? name : `${directory}/${name}`;
  if (name === "" || isZoneAt(path) || isZoneRule(name) || isNameOfUtc(name)) return;
  throw unknownZone(`TZ is "${text}", which is neither a zone, a zone file nor a rule`);
}

/** What an unknown zone is taken for is right for this one: systems without zone files have it. */
function isNameOfUtc(name: string): boolean {
  return /^(?:Etc\/)?(?:UTC|UCT|GMT|Universal|Zulu)$/u.test(name);
}

/** Where a symbolic link leads; "" where there is none. */
function linkTarget(path: string): string {
  const target = host.readlink(path);
  return typeof target === "number" ? "" : decodeFileName(target);
}

/** The runtime knows zones by their names only, which is enough on many systems. */
function checkRuntimeZone(): void {
  // Undefined where it found no zone, whatever its type says.
  const used: string | undefined = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const text = readableVariable("TZ");
  const isRight = text === undefined
    ? isSameFile(SYSTEM_ZONE_PATH, `${ZONES_PATH}/${used}`)
    : text === "" || canonicalName(text) === used;
  if (isRight && used !== undefined) return;
  const wanted = text === undefined ? `"${SYSTEM_ZONE_PATH}"` : `TZ="${text}"`;
  throw unknownZone(`${wanted} is not ${used ?? "known"}`);
}

function unknownZone(problem: string): UsageError {
  return new UsageError(`Cannot tell the local time: ${problem}`, {
    code: "time-zone",
    hint: mayUseFfi
      ? `Set TZ to a name below ${ZONES_PATH} such as Europe/Vienna, or to UTC`
      : "Allow FFI: without, only zones that are named in TZ or linked to are known",
  });
}

function isZoneAt(path: string): boolean {
  const bytes = readIfThere(path);
  return bytes !== undefined && isZoneFile(bytes);
}

/** Files that may not be read, or are not there, are as good as the same. */
function isSameFile(path: string, other: string): boolean {
  const one = readIfThere(path)?.toHex();
  const two = readIfThere(other)?.toHex();
  return one === undefined || two === undefined || one === two;
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return hostFiles.read(path, ZONE_FILE_SIZE_MAX);
  } catch (error) {
    if (error instanceof Failure || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** The name that the runtime has for a zone; undefined where it does not know it. */
function canonicalName(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readableVariable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
