/**
 * Lines that a server writes. Nobody who reads them, or does not, holds the server up: a line that
 * would have to wait is lost, and so is one for which the disk has no room.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { isWritable, PIPE_BUF, writeFrom } from "#ffi/libc/metadata.ts";
import { SECRET_FILE_MODE } from "#src/pbs/server/access/access_file.ts";

/** Takes a line, with its end. */
export type WriteLine = (line: string) => void;

const STDOUT = 1;
const STDERR = 2;
// O_NONBLOCK: a FIFO may have no reader, or one that is slow.
const FLAGS = host.OpenFlag.WRONLY | host.OpenFlag.APPEND | host.OpenFlag.CREAT |
  host.OpenFlag.NOCTTY | host.OpenFlag.NONBLOCK;

/** Lines for people, on standard error. */
export const writeNotice: WriteLine = (line) => void tryWrite(STDERR, line);

/**
 * The access log. How many lines have been lost is said by the next one that is not.
 *
 * @param path a file, opened for each line, so that a rotated one is left at once; undefined:
 *   standard output
 * @throws {OsError} when the file cannot be written to at the start
 */
export function openAccessLog(path: string | undefined): WriteLine {
  if (path === undefined) return countingLost((line) => tryWrite(STDOUT, line));
  host.close(host.unwrap(host.open(path, FLAGS, SECRET_FILE_MODE), "open access log", path));
  return countingLost((line) => {
    const fd = host.open(path, FLAGS, SECRET_FILE_MODE);
    if (fd < 0) return false;
    try {
      return tryWrite(fd, line);
    } finally {
      host.close(fd);
    }
  });
}

function countingLost(write: (line: string) => boolean): WriteLine {
  let lost = 0;
  return (line) => {
    if (lost > 0 && write(lostLine(lost))) lost = 0;
    if (lost > 0 || !write(line)) lost++;
  };
}

function lostLine(lines: number): string {
  return `${JSON.stringify({ time: new Date().toISOString(), event: "lost", lines })}\n`;
}

/** @returns whether the line was taken */
function tryWrite(fd: number, line: string): boolean {
  const bytes = new TextEncoder().encode(line);
  // A pipe that has room for less than a line would wait for more.
  if (bytes.length > PIPE_BUF) bytes[PIPE_BUF - 1] = bytes.at(-1)!;
  return isWritable(fd) && writeFrom(fd, bytes.subarray(0, PIPE_BUF)) >= 0;
}
