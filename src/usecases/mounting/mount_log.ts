/**
 * The log of a process that mounts.
 *
 * @module
 */

import { configureLog } from "#src/log/logger.ts";
import { fileSink, journalSink, type LogSink, stderrSink } from "#src/log/sinks.ts";
import type { LogLevelName } from "#src/log/level.ts";

/** A log, as asked for. */
export interface LogRequest {
  readonly format: "text" | "json";
  readonly sink: "file" | "journald" | "stderr";
  /** Undefined: no file was named. */
  readonly path: string | undefined;
  readonly level: LogLevelName;
}

/** Opens the log; without a path to a file it is standard error. @throws {OsError} */
export function openMountLog({ format, level, sink, path }: LogRequest): LogSink {
  const opened = sink === "journald"
    ? journalSink(format)
    : path === undefined
    ? stderrSink(format)
    : fileSink(path, format);
  configureLog(opened, level);
  return opened;
}
