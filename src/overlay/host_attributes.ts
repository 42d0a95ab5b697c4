/**
 * Owner, mode, times and extended attributes of files of the host.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import * as host from "#ffi/libc/calls.ts";

/** Sets owner (for root) and mode of an open file or directory. @throws {OsError} */
export function setOwnerAndMode(
  fd: number,
  from: { readonly uid: number; readonly gid: number; readonly mode: number },
): void {
  if (host.getEffectiveUid() === 0) {
    host.unwrap(host.chownAt(fd, "", from.uid, from.gid), "chown", "file of the diff");
  }
  host.unwrap(host.fchmod(fd, from.mode & 0o7777), "chmod", "file of the diff");
}

/** Copies extended attributes, ACLs with them, as far as both places have such. */
export function copyXattrs(from: number, to: number): void {
  const names = host.listXattr(from);
  if (typeof names === "number") return;
  for (const name of decodeFileName(names).split("\0")) {
    const value = name === "" ? -host.Errno.ENODATA : host.getXattr(from, name);
    if (typeof value !== "number") host.setXattr(to, name, value, 0);
  }
}

/**
 * Takes off what a new directory inherits from the one that it was made in. @throws {OsError}
 */
export function removeAcls(fd: number): void {
  for (const name of [XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT]) {
    const removed = host.removeXattr(fd, name);
    if (removed !== -host.Errno.ENODATA && removed !== -host.Errno.EOPNOTSUPP) {
      host.unwrap(removed, "remove ACL of", "directory of the diff");
    }
  }
}

/**
 * Sets the times of last access and last change.
 *
 * @param name relative to the directory `fd`; empty: `fd` itself. A link is not followed
 */
export function setTimes(fd: number, stat: host.HostStat, name = ""): void {
  const { atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds } = stat;
  host.utimensAt(fd, name, atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds);
}
