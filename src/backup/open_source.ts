/**
 * Files and devices that are read as a whole.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";

/** An open source. */
export interface FileToBackUp {
  /** The caller closes it. */
  readonly fd: number;
  readonly stat: host.HostStat;
}

/**
 * Opens what is to be read. Nothing is waited for, whatever it is.
 *
 * @param types of which it may be
 * @param expected what these are, for the message
 * @throws {UsageError} when it is something else
 * @throws {OsError} when it cannot be opened
 */
export function openFileToBackUp(
  path: string,
  types: readonly number[],
  expected: string,
): FileToBackUp {
  const { RDONLY, NOCTTY, NONBLOCK } = host.OpenFlag;
  const stat = new host.HostStat();
  const check = () => {
    if (types.includes(stat.mode & FileType.MASK)) return;
    throw new UsageError(
      `Cannot back up "${path}": got unexpected file type (expected ${expected})`,
    );
  };
  const fd = host.open(path, RDONLY | NOCTTY | NONBLOCK);
  // A socket cannot even be opened.
  if (fd < 0 && host.stat(path, stat) >= 0) check();
  host.unwrap(fd, "open", path);
  try {
    host.unwrap(host.statFd(fd, stat), "stat", path);
    check();
    return { fd, stat };
  } catch (error) {
    host.close(fd);
    throw error;
  }
}
