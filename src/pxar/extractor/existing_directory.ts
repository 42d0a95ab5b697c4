/**
 * Directories of a target that are there already. Needs FFI.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { descriptorPath } from "#ffi/libc/extract.ts";

const { Errno, OpenFlag } = host;

/** Nobody else may look at a directory before its owner and mode are restored. */
export const NEW_DIRECTORY_MODE = 0o700;

/** What the owner of a directory needs to make names in it. */
const OWNER_BITS = 0o700;
const PERMISSION_BITS = 0o7777;

const stat = new host.HostStat();

/** A directory that was there. */
export interface ExistingDirectory {
  readonly fd: number;
  /**
   * Mode that it had, where its owner was not allowed to write to it; undefined where nothing was
   * changed.
   */
  readonly modeBefore: number | undefined;
}

/**
 * Opens an existing directory. Its owner may write to it from now on, also where its mode says no:
 * as when it was new.
 */
export function openWritable(
  parent: number,
  name: string,
  flags: number,
  path: string,
): ExistingDirectory {
  const step = "open directory";
  const objectFlags = OpenFlag.PATH | OpenFlag.DIRECTORY | flags;
  const object = host.unwrap(host.openAt(parent, name, objectFlags), step, path);
  try {
    host.unwrap(host.statFd(object, stat), step, path);
    const mode = stat.mode & PERMISSION_BITS;
    const uid = host.getEffectiveUid();
    const isLocked = uid !== 0 && stat.uid === uid && (mode & OWNER_BITS) !== OWNER_BITS;
    const place = descriptorPath(object);
    if (isLocked) {
      const changed = host.chmod(place, mode | OWNER_BITS);
      host.unwrap(changed, "make writable", path);
    }
    const fd = host.open(place, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    if (fd < 0 && isLocked) host.chmod(place, mode);
    return { fd: host.unwrap(fd, step, path), modeBefore: isLocked ? mode : undefined };
  } finally {
    host.close(object);
  }
}

/** mkdir -p, with mode 0700 for what is made. */
export function createDirectories(path: string): void {
  const made = host.mkdir(path, NEW_DIRECTORY_MODE);
  if (made >= 0 || made === -Errno.EEXIST) return;
  const parentEnd = path.replace(/\/+$/, "").lastIndexOf("/");
  if (made !== -Errno.ENOENT || parentEnd <= 0) host.unwrap(made, "make directory", path);
  createDirectories(path.slice(0, parentEnd));
  const second = host.mkdir(path, NEW_DIRECTORY_MODE);
  if (second !== -Errno.EEXIST) host.unwrap(second, "make directory", path);
}
