/**
 * Which of several backups is meant: an id, the last one, or the last one at or before a time.
 *
 *     TOTXQL    latest    @2026-11-21T02:00:00Z
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { utcTime } from "./source.ts";

/** Names that a hint has at most. */
const NAMES_MAX = 10;
/** The last one. */
export const LATEST = "latest";
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/u;

/** A backup that can be chosen. */
export interface Choosable {
  /** Unix seconds. */
  readonly time: number;
}

/**
 * The backup that `text` means by time.
 *
 * @param listBackups lists those that can be opened
 * @param what they are of, for messages
 * @returns undefined when the text is an id
 * @throws {UsageError} when the time cannot be read
 * @throws {StateError} `not-found` when there is none so old, or none at all
 */
export function chooseByTime<Backup extends Choosable>(
  text: string,
  listBackups: () => readonly Backup[],
  what: string,
): Backup | undefined {
  if (text !== LATEST && !text.startsWith("@")) return undefined;
  const end = text === LATEST ? Infinity : parseTime(text.slice(1));
  const backups = listBackups();
  const chosen = backups.filter(({ time }) => time <= end)
    .reduce<Backup | undefined>(
      (last, each) => last === undefined || each.time >= last.time ? each : last,
      undefined,
    );
  if (chosen !== undefined) return chosen;
  const oldest = Math.min(...backups.map(({ time }) => time));
  throw new StateError("not-found", `Cannot find a backup for "${text}" in ${what}`, {
    hint: backups.length === 0
      ? "It has none that can be opened"
      : `The oldest one is of ${utcTime(oldest)}`,
  });
}

/** Names for a hint, the last ones first, and how many more there are. */
export function firstNames(names: readonly string[]): string {
  if (names.length === 0) return "there is none";
  const shown = names.toReversed().slice(0, NAMES_MAX);
  const more = names.length - shown.length;
  return `${shown.join(", ")}${more === 0 ? "" : `, and ${more} more`}`;
}

function parseTime(text: string): number {
  const milliseconds = TIME.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(milliseconds)) return milliseconds / 1000;
  throw new UsageError(`Cannot use "@${text}" as a time`, {
    hint: "A time is @2026-11-21T02:00:00Z, with an offset such as +03:00, or @2026-11-21 in UTC",
  });
}
