/**
 * Where log lines go. Each line is one write, which the kernel appends whole.
 *
 * @module
 */

import type { LogRecord, Sink } from "@logtape/logtape";
import * as host from "#src/io/host.ts";
import { loadJournal } from "#ffi/libsystemd.ts";
import { OsError } from "#src/errors.ts";
import { formatLogLine, type LogFormat, logMessage, logSpan } from "./format.ts";

const STDERR = 2;
const LOG_FILE_MODE = 0o644;
const IDENTIFIER = "pbkfs";
// syslog(3) severities.
const PRIORITIES = { trace: 7, debug: 7, info: 6, warning: 4, error: 3, fatal: 2 } as const;

/** Lines to standard error. */
export function stderrSink(format: LogFormat): Sink {
  return descriptorSink(STDERR, format);
}

/** Lines appended to a file, which stays open. */
export interface FileSink {
  readonly sink: Sink;
  readonly fd: number;
}

/**
 * Opens a log file.
 *
 * @throws {OsError} when it cannot be opened or is a symbolic link
 */
export function fileSink(path: string, format: LogFormat): FileSink {
  const flags = host.OpenFlag.WRONLY | host.OpenFlag.APPEND | host.OpenFlag.CREAT |
    host.OpenFlag.NOFOLLOW | host.OpenFlag.NOCTTY;
  const fd = host.open(path, flags, LOG_FILE_MODE);
  if (fd < 0) {
    throw new OsError(-fd, "open log file", path, { hint: "Give another one with --log-file" });
  }
  return { sink: descriptorSink(fd, format), fd };
}

/**
 * Entries to the journal: by libsystemd, else lines through `systemd-cat`.
 *
 * @throws {OsError} when neither is there
 */
export function journalSink(format: LogFormat): Sink {
  const send = loadJournal();
  if (send === undefined) return systemdCatSink(format);
  return (record) => {
    send(journalFields(record));
  };
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

function systemdCatSink(format: LogFormat): Sink {
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
      hint: "Install systemd, or log to a file with --log-sink file",
      cause,
    });
  }
  child.unref();
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  return (record) => {
    writer.write(encoder.encode(formatLogLine(record, format))).catch(() => {});
  };
}
