/**
 * How much a diff directory holds.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";
import {
  CONTROL_DIRECTORY_NAME,
  DATA_DIRECTORY_NAME,
  TEMPORARY_DIRECTORY_NAME,
} from "./diff_place.ts";
import { MARKER_NAME } from "./directory_marker.ts";
import { readHostDirectory } from "./host_directory.ts";

/** What lies in the upper tree of a diff. */
export interface DiffUsage {
  /** Space taken on disk. */
  bytes: number;
  /** Regular files, whole or changed in part. */
  files: number;
}

/**
 * Whether the file system of a diff is read-only: mounted so, or made so by the kernel after an
 * error.
 */
export function isDiffReadOnly(diffPath: string): boolean {
  const fd = openDirectory(host.At.FDCWD, `${diffPath}/${TEMPORARY_DIRECTORY_NAME}`);
  if (fd < 0) return fd === -host.Errno.EROFS;
  // Setting a time needs no space, and the time of this directory has no meaning.
  const touched = host.utimensAt(fd, "", 0, host.UTIME_NOW, 0, host.UTIME_NOW);
  host.close(fd);
  return touched === -host.Errno.EROFS;
}

/**
 * Measures the upper tree, without the files of the worker. What vanishes meanwhile is left out.
 */
export function measureDiff(diffPath: string): DiffUsage {
  const usage: DiffUsage = { bytes: 0, files: 0 };
  const fd = openDirectory(host.At.FDCWD, `${diffPath}/${DATA_DIRECTORY_NAME}`);
  if (fd >= 0) addDirectory(fd, usage, CONTROL_DIRECTORY_NAME);
  return usage;
}

function addDirectory(fd: number, usage: DiffUsage, skippedName?: string): void {
  const stat = new host.HostStat();
  try {
    for (const { name } of readHostDirectory(fd)) {
      if (name === skippedName || name === MARKER_NAME || host.statAt(fd, name, stat) < 0) continue;
      const type = stat.mode & FileType.MASK;
      if (type === FileType.FILE) {
        usage.files += 1;
        usage.bytes += stat.blocks * 512;
      } else if (type === FileType.DIRECTORY) {
        const inner = openDirectory(fd, name);
        if (inner >= 0) addDirectory(inner, usage);
      }
    }
  } finally {
    host.close(fd);
  }
}

function openDirectory(directory: number, name: string): number {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY | host.OpenFlag.NOFOLLOW;
  return host.openAt(directory, name, flags);
}
