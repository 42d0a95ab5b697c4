/**
 * Why a mount failed: libfuse and fusermount3 only say it on standard error.
 *
 * @module
 */

import { close, getEffectiveUid, open, OpenFlag } from "../libc/calls.ts";
import { Errno, OsError } from "../os_error.ts";

const DEVICE = "/dev/fuse";

/** The error for a mount that libfuse could not make at `path`. */
export function mountFailure(path: string): OsError {
  const device = open(DEVICE, OpenFlag.RDWR);
  if (device < 0) return new OsError(-device, "open", DEVICE, { hint: deviceHint(-device) });
  close(device);
  const hint = getEffectiveUid() === 0
    ? "This root may not mount: in a container it needs the capability SYS_ADMIN " +
      "(--cap-add SYS_ADMIN), and a security profile that allows mounts"
    : "An ordinary user needs fusermount3 (package fuse3) with its set-user-id bit";
  return new OsError(Errno.EPERM, "mount", path, { hint });
}

function deviceHint(errno: number): string {
  switch (errno) {
    case Errno.ENOENT:
    case Errno.ENODEV:
    case Errno.ENXIO:
      return "The system has no FUSE device: load it with modprobe fuse; " +
        "a container gets it with --device /dev/fuse";
    case Errno.EPERM:
      return "This container may not use the device: start it with --device /dev/fuse";
    default:
      return `Open it to this user (its mode is 666 on most systems), or mount as root`;
  }
}
