/**
 * Where log lines go. A sink is described by plain values, so that every thread of the process opens its own
 * over the same descriptor: each line is one append, which the kernel keeps whole.
 *
 * @module
 */

import type { LogRecord, Sink } from "@logtape/logtape";
import * as host from "#src/io/host.ts";
import { loadJournal } from "#ffi/libsystemd.ts";
import { OsError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import { formatLogLine, type LogFormat, logMessage, logSpan } from "./format.ts";

/** A sink, ready to be sent to another thread. */
export type SinkDescription =
  | { readonly kind: "descriptor"; readonly fd: number; readonly format: LogFormat }
  | { readonly kind: "journal" };

const STDERR = 2;
const LOG_FILE_MODE = 0o644;
const IDENTIFIER = "pbkfs";
// syslog(3) severities.
const PRIORITIES = { trace: 7, debug: 7, info: 6, warning: 4, error: 3, fatal: 2 } as const;

/** Lines to standard error. */
export function stderrSink(format: LogFormat): SinkDescription {
  return { kind: "descriptor", fd: STDERR, format };
}

/**
 * Lines appended to a file, which stays open.
 *
 * @throws {OsError} when it cannot be opened or is a symbolic link
 */
export function fileSink(path: string, format: LogFormat): SinkDescription {
  const flags = host.OpenFlag.WRONLY | host.OpenFlag.APPEND | host.OpenFlag.CREAT |
    host.OpenFlag.NOFOLLOW | host.OpenFlag.NOCTTY;
  const fd = host.open(path, flags, LOG_FILE_MODE);
  if (fd < 0) {
    throw new OsError(-fd, "open log file", path, { hint: "Give another one with --log-file" });
  }
  return { kind: "descriptor", fd, format };
}

/**
 * Entries to the journal: by libsystemd, else through `systemd-cat`.
 *
 * @throws {OsError} when neither is there
 */
export function journalSink(format: LogFormat): SinkDescription {
  return loadJournal() !== undefined ? { kind: "journal" } : systemdCatSink(format);
}

/** Builds the function that writes records, in the thread that calls it. */
export function openSink(description: SinkDescription): Sink {
  if (description.kind === "journal") return journalWriter();
  const { fd, format } = description;
  return (record) => writeLine(fd, formatLogLine(record, format));
}

function writeLine(fd: number, line: string): void {
  const buffer = host.nativeBufferOf(new TextEncoder().encode(line));
  // A full disk or a closed pipe costs a log line, never the mount.
  host.write(fd, buffer.address, BigInt(buffer.bytes.length));
}

function journalWriter(): Sink {
  const send = loadJournal();
  if (send === undefined) return () => {};
  return (record) => {
    send(journalFields(record));
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

/** A pipe by name carries the lines to a child, because its descriptor must work in every thread. */
function systemdCatSink(format: LogFormat): SinkDescription {
  requireSystemdCat();
  const directory = Deno.makeTempDirSync({ prefix: "pbkfs-log-" });
  const pipe = `${directory}/pipe`;
  host.unwrap(host.mknodAt(host.At.FDCWD, pipe, FileType.FIFO | 0o600, 0), "make pipe", pipe);
  // Opened for reading and writing, so that neither side waits for the other; non-blocking, so that a
  // reader that is gone costs lines and not the mount.
  const flags = host.OpenFlag.RDWR | host.OpenFlag.NONBLOCK;
  const fd = host.unwrap(host.open(pipe, flags), "open", pipe);
  const script = `exec <"$0"; rm -r "$1"; exec systemd-cat --identifier=${IDENTIFIER}`;
  const child = new Deno.Command("sh", {
    args: ["-c", script, pipe, directory],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.unref();
  return { kind: "descriptor", fd, format };
}

function requireSystemdCat(): void {
  try {
    new Deno.Command("systemd-cat", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync();
  } catch (cause) {
    throw new OsError(host.Errno.ENOENT, "run", "systemd-cat", {
      hint: "Install systemd, or log to a file with --log-sink file",
      cause,
    });
  }
}
