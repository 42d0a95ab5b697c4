/**
 * Times as people and files of the local time zone have them.
 *
 * @module
 */

import { type LocalTime, localTime } from "#src/io/local_time.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The present by {@link formatLocalTime}. */
export function formatNow(): string {
  return formatLocalTime(Date.now() / 1000);
}

/**
 * RFC 3339 in the local zone with a numeric offset, to the second; of a time in seconds since 1970.
 */
export function formatLocalTime(seconds: number): string {
  const time = localTime(seconds);
  const offsetMinutes = Math.trunc(time.offsetSeconds / 60);
  const size = Math.abs(offsetMinutes);
  const sign = offsetMinutes < 0 ? "-" : "+";
  return `${formatDate(time)}T${formatClock(time)}${sign}${two(Math.floor(size / 60))}:${
    two(size % 60)
  }`;
}

/** `2020-09-13 12:26:40` in the local zone; of a time in seconds since 1970. */
export function formatDateTime(seconds: number): string {
  const time = localTime(seconds);
  return `${formatDate(time)} ${formatClock(time)}`;
}

/**
 * As ctime(3) does, in the local zone: `Wed Jan 10 10:00:00 2024`; of a time in seconds since 1970.
 */
export function formatCalendarTime(seconds: number): string {
  const time = localTime(seconds);
  const day = `${DAYS[time.weekday]} ${MONTHS[time.month - 1]} ${String(time.day).padStart(2)}`;
  return `${day} ${formatClock(time)} ${time.year}`;
}

function formatDate({ year, month, day }: LocalTime): string {
  return [year, two(month), two(day)].join("-");
}

function formatClock({ hour, minute, second }: LocalTime): string {
  return [hour, minute, second].map(two).join(":");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
