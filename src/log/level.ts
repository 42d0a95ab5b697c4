/**
 * How much is logged.
 *
 * @module
 */

/** Levels a user may name, least important first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error"] as const;

/** A level a user may name. */
export type LogLevelName = typeof LOG_LEVELS[number];

/** The level that `text`, the value of `PBKFS_LOG`, names; `info` when it names none. */
export function parseLogLevel(text: string | undefined): LogLevelName {
  const name = text?.trim().toLowerCase();
  if (name === "warn") return "warning";
  return LOG_LEVELS.find((level) => level === name) ?? "info";
}
