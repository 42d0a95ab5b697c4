/**
 * Where log lines go. Each line is one write, which the kernel appends whole.
 *
 * @module
 */

import type { LogRecord, Sink } from "@logtape/logtape";
import * as host from "#ffi/libc/calls.ts";
import { loadJournal } from "#ffi/libsystemd.ts";
import { OsError } from "#src/errors.ts";
import { formatLogLine, type LogFormat, logMessage, logSpan } from "./format.ts";

const STDERR = 2;
/** Where the journal listens. */
const JOURNAL_SOCKET = "/run/systemd/journal/socket";
const LOG_FILE_MODE = 0o644;
const IDENTIFIER = "pbkfs";
// syslog(3) severities.
const PRIORITIES = { trace: 7, debug: 7, info: 6, warning: 4, error: 3, fatal: 2 } as const;

/** An open sink. */
export interface LogSink {
  readonly write: Sink;
  /** The open log file, where there is one. */
  readonly fd?: number;
  /** Waits until everything written has left this process. */
  flush(): Promise<void>;
}

/** Lines to standard error. */
export function stderrSink(format: LogFormat): LogSink {
  return { write: descriptorSink(STDERR, format), flush: nothingToFlush };
}

/**
 * Lines appended to a file, which stays open.
 *
 * @throws {OsError} when it cannot be opened, is a symbolic link, or a pipe that nobody reads
 */
export function fileSink(path: string, format: LogFormat): LogSink {
  const flags = host.OpenFlag.WRONLY | host.OpenFlag.APPEND | host.OpenFlag.CREAT |
    host.OpenFlag.NOFOLLOW | host.OpenFlag.NOCTTY | host.OpenFlag.NONBLOCK;
  const fd = host.open(path, flags, LOG_FILE_MODE);
  if (fd < 0) {
    throw new OsError(-fd, "open log file", path, { hint: "Give another one", option: "logFile" });
  }
  return { write: descriptorSink(fd, format), fd, flush: nothingToFlush };
}

/**
 * Entries to the journal by libsystemd; where that is not there, or no journal listens, lines
 * through `systemd-cat`.
 *
 * @throws {OsError} when there is no `systemd-cat` either
 */
export function journalSink(format: LogFormat): LogSink {
  const hasJournal = host.lstat(JOURNAL_SOCKET) === 0;
  const send = hasJournal ? loadJournal() : undefined;
  if (send === undefined) return systemdCatSink(format);
  const write: Sink = (record) => {
    send(journalFields(record));
  };
  return { write, flush: nothingToFlush };
}

function nothingToFlush(): Promise<void> {
  return Promise.resolve();
}

function descriptorSink(fd: number, format: LogFormat): Sink {
  return (record) => {
    const buffer = host.nativeBufferOf(new TextEncoder().encode(formatLogLine(record, format)));
    // A full disk or a closed pipe costs a log line, never the mount.
    host.write(fd, buffer.address, BigInt(buffer.bytes.length));
  };
}

function journalFields(record: LogRecord): string[] {
  const fields = [
    `MESSAGE=${logMessage(record)}`,
    `PRIORITY=${PRIORITIES[record.level]}`,
    `SYSLOG_IDENTIFIER=${IDENTIFIER}`,
    `PBKFS_SPAN=${logSpan(record)}`,
  ];
  for (const [key, value] of Object.entries(record.properties)) {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    fields.push(`PBKFS_${key.toUpperCase().replace(/[^A-Z0-9]/gu, "_")}=${text}`);
  }
  return fields;
}

function systemdCatSink(format: LogFormat): LogSink {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("systemd-cat", {
      args: [`--identifier=${IDENTIFIER}`],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (cause) {
    throw new OsError(host.Errno.ENOENT, "run", "systemd-cat", {
      hint: "Install systemd, or log to a file",
      option: "logSink",
      cause,
    });
  }
  child.unref();
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  // A reader that is gone costs lines, never the mount.
  let last: Promise<void> = Promise.resolve();
  const write: Sink = (record) => {
    last = writer.write(encoder.encode(formatLogLine(record, format))).catch(() => {});
  };
  return { write, flush: () => last };
}
