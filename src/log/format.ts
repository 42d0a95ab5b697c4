/**
 * One log record as one line, as text or as JSON. The keys and shapes are those log shippers
 * already parse:
 *
 *     2026-11-21T03:12:09.882935Z  INFO mount: diff directory prepared diff=/d
 *     {"timestamp":"…","level":"INFO","fields":{"message":"…","diff":"/d"},"span":{"name":"mount"}}
 *
 * @module
 */

import type { LogLevel, LogRecord } from "@logtape/logtape";

/** How records are written. */
export type LogFormat = "text" | "json";

const LEVEL_NAMES: Readonly<Record<LogLevel, string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  warning: "WARN",
  error: "ERROR",
  fatal: "ERROR",
};

/** Formats a record as one line with its line feed. */
export function formatLogLine(record: LogRecord, format: LogFormat): string {
  return (format === "json" ? formatJson(record) : formatText(record)) + "\n";
}

/** The record's message without its fields. */
export function logMessage(record: LogRecord): string {
  return record.message.map((part) => typeof part === "string" ? part : plainText(part)).join("");
}

/** Where the record comes from: the last part of its category. */
export function logSpan(record: LogRecord): string {
  return record.category.at(-1) ?? "pbkfs";
}

function formatText(record: LogRecord): string {
  const level = LEVEL_NAMES[record.level].padStart(5);
  let line = `${timestamp(record)} ${level} ${logSpan(record)}: ${
    escapeControls(logMessage(record))
  }`;
  for (const [key, value] of Object.entries(record.properties)) {
    line += ` ${key}=${quoteWhereNeeded(plainText(value))}`;
  }
  return line;
}

function formatJson(record: LogRecord): string {
  const fields: Record<string, unknown> = { message: logMessage(record) };
  for (const [key, value] of Object.entries(record.properties)) {
    if (key !== "message") fields[key] = jsonValue(value);
  }
  return JSON.stringify({
    timestamp: timestamp(record),
    level: LEVEL_NAMES[record.level],
    fields,
    span: { name: logSpan(record) },
  });
}

function timestamp(record: LogRecord): string {
  // Records are formatted where they arise; a record that waited keeps its own, coarser time.
  const now = Temporal.Now.instant();
  const instant = now.epochMilliseconds === record.timestamp
    ? now
    : Temporal.Instant.fromEpochMilliseconds(record.timestamp);
  return instant.toString({ smallestUnit: "microsecond" });
}

function jsonValue(value: unknown): unknown {
  if (value instanceof Error) return plainText(value);
  if (typeof value === "bigint") {
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : `${value}`;
  }
  return value;
}

function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}

function quoteWhereNeeded(text: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** Keeps one record on one line, whatever a file name contains. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
