/**
 * The program's log: who may write what, and where it goes.
 *
 * Any module takes `logger("mount")` at load time and writes `log.info("text", { key: value })`; nothing is written until a
 * command has called {@link configureLog}. Every thread configures its own log, with one shared
 * {@link SinkDescription}.
 *
 * @module
 */

import { configureSync, getLogger, type Logger, type LogLevel, resetSync } from "@logtape/logtape";
import { openSink, type SinkDescription } from "./sinks.ts";

export type { Logger } from "@logtape/logtape";
export type { LogFormat } from "./format.ts";

const ROOT_CATEGORY = "pbkfs";

/** Levels a user may name, least important first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error"] as const;

/** A level a user may name. */
export type LogLevelName = typeof LOG_LEVELS[number];

/** The log of one thread, ready to be sent to another thread. */
export interface LogDescription {
  readonly sink: SinkDescription;
  /** Records below this level are dropped. */
  readonly level: LogLevelName;
}

/** The logger of a part of the program; `span` is the name that lines start with. */
export function logger(span: string): Logger {
  return getLogger([ROOT_CATEGORY, span]);
}

/** Makes this thread's loggers write. Replaces an earlier configuration. */
export function configureLog(description: LogDescription): void {
  const lowestLevel: LogLevel = description.level;
  configureSync({
    reset: true,
    sinks: { main: openSink(description.sink) },
    loggers: [
      { category: [ROOT_CATEGORY], sinks: ["main"], lowestLevel },
      // The library's own notes about itself.
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  });
}

/** Makes this thread's loggers silent again. */
export function closeLog(): void {
  resetSync();
}

/** The level that `text`, the value of `PBKFS_LOG`, names; `info` when it names none. */
export function parseLogLevel(text: string | undefined): LogLevelName {
  const name = text?.trim().toLowerCase();
  if (name === "warn") return "warning";
  return LOG_LEVELS.find((level) => level === name) ?? "info";
}
