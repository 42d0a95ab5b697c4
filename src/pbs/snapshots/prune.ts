/**
 * Which snapshots of a group pruning keeps.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { checkTimeZone, localTime } from "#src/io/local_time.ts";

/** How many snapshots are kept, by period. Left out or 0: the period selects nothing. */
export interface RetentionOptions {
  /** The newest, whenever they were made. */
  readonly last?: number;
  /** The newest of each of so many hours that have one. */
  readonly hourly?: number;
  /** The newest of each of so many days that have one. */
  readonly daily?: number;
  /** The newest of each of so many ISO weeks that have one. */
  readonly weekly?: number;
  /** The newest of each of so many months that have one. */
  readonly monthly?: number;
  /** The newest of each of so many years that have one. */
  readonly yearly?: number;
}

/** A period of {@link RetentionOptions}. */
export type RetentionPeriod = keyof RetentionOptions;

/**
 * What pruning does with a snapshot. `keep-partial`: unfinished, but perhaps a backup is running.
 */
export type PruneMark = "keep" | "keep-partial" | "protected" | "remove";

/** What the rule looks at. */
export interface PrunableSnapshot<Id> {
  /** What the caller knows the snapshot by; it is only handed back. */
  readonly id: Id;
  /** Unix seconds. */
  readonly time: number;
  /** Only finished snapshots count for a period. */
  readonly isFinished: boolean;
  /** Protected ones stay, and fill no period. */
  readonly isProtected: boolean;
}

/** What pruning does with one snapshot, and why. */
export interface PruneDecision<Id> {
  /** As it was given. */
  readonly id: Id;
  /** What happens to the snapshot. */
  readonly mark: PruneMark;
  /** What a snapshot is kept for; undefined where no period selected it. */
  readonly period: RetentionPeriod | undefined;
  /** As it was given. */
  readonly isProtected: boolean;
}

/** A moment on the calendar of some place. */
export interface CalendarTime {
  /** Of the Gregorian calendar. */
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** Day of the month, 1 to 31. */
  readonly day: number;
  /** 0 to 23. */
  readonly hour: number;
}

/** What the calendar shows at a time in unix seconds. */
export type Calendar = (seconds: number) => CalendarTime;

/** The calendar of this system's time zone. */
export const localCalendar: Calendar = localTime;

/** In the order in which they select. */
const PERIODS: readonly RetentionPeriod[] = [
  "last",
  "hourly",
  "daily",
  "weekly",
  "monthly",
  "yearly",
];

const MILLISECONDS_PER_DAY = 86_400_000;

/** `2025/01`: the week's own year and number by ISO 8601. */
function isoWeek(time: CalendarTime): string {
  const day = new Date(Date.UTC(time.year, time.month - 1, time.day));
  // A week belongs to the year that its Thursday is in.
  const thursday = day.getTime() + (4 - (day.getUTCDay() || 7)) * MILLISECONDS_PER_DAY;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / MILLISECONDS_PER_DAY / 7) + 1;
  return `${year}/${week}`;
}

/** What two snapshots of the same period have in common. */
function periodId(period: RetentionPeriod, seconds: number, calendar: Calendar): string {
  if (period === "last") return `${seconds}`;
  const time = calendar(seconds);
  switch (period) {
    case "hourly":
      return `${time.year}/${time.month}/${time.day}/${time.hour}`;
    case "daily":
      return `${time.year}/${time.month}/${time.day}`;
    case "weekly":
      return isoWeek(time);
    case "monthly":
      return `${time.year}/${time.month}`;
    case "yearly":
      return `${time.year}`;
  }
}

interface Marked {
  mark: PruneMark;
  period: RetentionPeriod | undefined;
}

/** Marks unfinished snapshots: the newest of all may belong to a running backup. */
function markUnfinished<Id>(
  snapshots: readonly PrunableSnapshot<Id>[],
  marks: (Marked | undefined)[],
): void {
  snapshots.forEach((snapshot, index) => {
    if (snapshot.isFinished) return;
    marks[index] = { mark: index === 0 ? "keep-partial" : "remove", period: undefined };
  });
}

function markPeriod<Id>(
  snapshots: readonly PrunableSnapshot<Id>[],
  marks: (Marked | undefined)[],
  period: RetentionPeriod,
  countMax: number,
  calendar: Calendar,
): void {
  const earlier = new Set<string>();
  snapshots.forEach((snapshot, index) => {
    if (marks[index]?.mark === "keep") earlier.add(periodId(period, snapshot.time, calendar));
  });
  const selected = new Set<string>();
  for (const [index, snapshot] of snapshots.entries()) {
    if (marks[index] !== undefined) continue;
    if (snapshot.isProtected) {
      marks[index] = { mark: "protected", period: undefined };
      continue;
    }
    const id = periodId(period, snapshot.time, calendar);
    if (earlier.has(id)) continue;
    if (selected.has(id)) {
      marks[index] = { mark: "remove", period: undefined };
      continue;
    }
    if (selected.size >= countMax) break;
    selected.add(id);
    marks[index] = { mark: "keep", period };
  }
}

/**
 * Decides about the snapshots of one group. Where `keep` asks for nothing, everything is kept.
 *
 * @returns one decision for each snapshot, newest first
 * @param calendar says to which periods times belong. Default: the system's
 * @throws {UsageError} when a count is none: what asks for nothing by mistake would remove
 *   everything. `time-zone` when the system's zone is not known, by which snapshots would be
 *   removed
 */
export function selectForPruning<Id>(
  snapshots: readonly PrunableSnapshot<Id>[],
  keep: RetentionOptions,
  calendar: Calendar = localCalendar,
): PruneDecision<Id>[] {
  for (const period of PERIODS) {
    const countMax = keep[period] ?? 0;
    if (!(Number.isSafeInteger(countMax) && countMax >= 0)) {
      throw new UsageError(`Cannot keep ${countMax} snapshots (${period})`);
    }
  }
  const isByCalendar = PERIODS.some((period) => period !== "last" && (keep[period] ?? 0) > 0);
  if (isByCalendar && calendar === localCalendar) checkTimeZone();
  const newestFirst = [...snapshots].sort((one, other) => other.time - one.time);
  const marks: (Marked | undefined)[] = newestFirst.map(() => undefined);
  markUnfinished(newestFirst, marks);
  for (const period of PERIODS) {
    const countMax = keep[period] ?? 0;
    if (countMax > 0) markPeriod(newestFirst, marks, period, countMax, calendar);
  }
  const keepsAll = PERIODS.every((period) => (keep[period] ?? 0) === 0);
  return newestFirst.map(({ id, isProtected }, index) => {
    const { mark, period } = marks[index] ?? { mark: "remove", period: undefined };
    const base = { id, period, isProtected };
    if (mark !== "remove") return { ...base, mark };
    if (isProtected) return { ...base, mark: "protected" };
    return { ...base, mark: keepsAll ? "keep" : "remove" };
  });
}
