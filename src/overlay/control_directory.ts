/**
 * The directory in the upper tree in which a worker leaves its files.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { OsError } from "#src/errors.ts";
import { CONTROL_DIRECTORY_NAME, DATA_DIRECTORY_NAME } from "./diff_place.ts";

/** Names in it that this program rewrites while they are visible. */
export const LIVE_NAMES: ReadonlySet<string> = new Set(["worker.pid", "stat", "pbkfs.log"]);

/** The worker's own directory in a diff, held open. */
export interface ControlDirectory {
  /** A path by which this process reaches it, whatever becomes of its name. */
  readonly path: string;
  /**
   * @throws {OsError} `ENOENT` when it is gone from the diff, `ESTALE` when another one is there
   */
  requireInPlace(): void;
  close(): void;
}

/**
 * Opens the worker's own directory, `DIFF/data/.pbkfs`. It lies in the upper tree, where the
 * owner of the mount can replace it, for example by a link to `/etc`; a process of root must not
 * write its files there.
 *
 * @throws {OsError}
 */
export function openControlDirectory(diffPath: string): ControlDirectory {
  const path = `${diffPath}/${DATA_DIRECTORY_NAME}/${CONTROL_DIRECTORY_NAME}`;
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY | host.OpenFlag.NOFOLLOW;
  const fd = host.unwrap(host.open(path, flags), "open", path);
  return {
    path: `/proc/self/fd/${fd}`,
    requireInPlace: () => requireSameDirectory(fd, path),
    close: () => host.close(fd),
  };
}

function requireSameDirectory(fd: number, path: string): void {
  const opened = new host.HostStat();
  const named = new host.HostStat();
  host.unwrap(host.statFd(fd, opened), "stat", path);
  host.unwrap(host.lstat(path, named), "find", path);
  if (opened.ino === named.ino && opened.device === named.device) return;
  throw new OsError(host.Errno.ESTALE, "find", path);
}
