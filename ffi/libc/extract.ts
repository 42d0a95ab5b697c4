/**
 * libc for restoring files: opening that cannot leave a directory, attributes of chattr(1), and
 * calls that act on what `/proc/self/fd/N` stands for.
 *
 * Conventions as in `calls.ts`: a value or a negative errno. The numbers are the same on x86-64 and
 * arm64.
 *
 * @module
 */

import { encodeCString, SCRATCH_A, SCRATCH_B } from "./c_string.ts";
import { check, libcWith } from "./library.ts";
import { At } from "./directories.ts";
import { UTIME_OMIT } from "./attributes.ts";
import { ioctl, OpenFlag } from "./files.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  // long syscall(SYS_openat2, int dirfd, const char *path, struct open_how *how, size_t size)
  syscall: { parameters: ["i64", "i32", "buffer", "buffer", "usize"], result: "i64" },
  // int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  // int removexattr(const char *path, const char *name)
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  // int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const SYS_OPENAT2 = 437n;
const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_BENEATH = 8n;

/** struct open_how: u64 flags, u64 mode, u64 resolve. */
const openHow = new BigUint64Array(3);
const openHowBytes = new Uint8Array(openHow.buffer);

/**
 * openat2(2) with O_CLOEXEC: opens what `path` names below `directory`, without following any
 * symbolic link and without ever being above `directory`.
 *
 * @returns a descriptor; -ELOOP or -EXDEV when the path would lead elsewhere, -ENOSYS before Linux
 *   5.6
 */
export function openBeneath(directory: number, path: string, flags: number): number {
  const buffer = encodeCString(path, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  openHow[0] = BigInt(flags | OpenFlag.CLOEXEC);
  openHow[1] = 0n;
  openHow[2] = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  return check(Number(libc().syscall(SYS_OPENAT2, directory, buffer, openHowBytes, 24n)));
}

/**
 * A path that means the open file itself: also for a descriptor of O_PATH, and for a symbolic link.
 */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** setxattr(2) of what an O_PATH descriptor stands for. */
export function setXattrByPath(fd: number, name: string, value: Uint8Array): number {
  const path = encodeCString(descriptorPath(fd), SCRATCH_A)!;
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (nameBuffer === undefined) return -Errno.ERANGE;
  const bytes = value as Uint8Array<ArrayBuffer>;
  return check(libc().setxattr(path, nameBuffer, bytes, BigInt(bytes.length), 0));
}

/** removexattr(2) of what an O_PATH descriptor stands for. */
export function removeXattrByPath(fd: number, name: string): number {
  const path = encodeCString(descriptorPath(fd), SCRATCH_A)!;
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (nameBuffer === undefined) return -Errno.ERANGE;
  return check(libc().removexattr(path, nameBuffer));
}

/** struct timespec times[2]; the first, of the access time, stays UTIME_OMIT. */
const times = new BigInt64Array([0n, BigInt(UTIME_OMIT), 0n, 0n]);
const timesBytes = new Uint8Array(times.buffer);

/** Sets the modification time of an open file; the access time stays. */
export function setMtime(fd: number, seconds: number, nanoseconds: number): number {
  times[2] = BigInt(seconds);
  times[3] = BigInt(nanoseconds);
  return check(libc().futimens(fd, timesBytes));
}

/** {@link setMtime} of what an O_PATH descriptor stands for. */
export function setMtimeByPath(fd: number, seconds: number, nanoseconds: number): number {
  times[2] = BigInt(seconds);
  times[3] = BigInt(nanoseconds);
  const path = encodeCString(descriptorPath(fd), SCRATCH_A)!;
  return check(libc().utimensat(At.FDCWD, path, timesBytes, 0));
}

const FS_IOC_SETFLAGS = 0x4008_6602n;
const FS_IOC_FSGETXATTR = 0x801c_581fn;
const FS_IOC_FSSETXATTR = 0x401c_5820n;
const FAT_IOCTL_SET_ATTRIBUTES = 0x4004_7211n;

/** FS_IOC_SETFLAGS means 32 bits in spite of its number. */
const attributeBytes = new Uint8Array(8);
const attributeView = new DataView(attributeBytes.buffer);

/** Sets the attributes of an open file, all of them, as chattr(1) does. */
export function setFileFlags(fd: number, attributes: number): number {
  attributeBytes.fill(0);
  attributeView.setUint32(0, attributes, true);
  return ioctl(fd, FS_IOC_SETFLAGS, attributeBytes);
}

/** Sets the attributes of a file on a FAT file system. */
export function setFatAttributes(fd: number, attributes: number): number {
  attributeBytes.fill(0);
  attributeView.setUint32(0, attributes, true);
  return ioctl(fd, FAT_IOCTL_SET_ATTRIBUTES, attributeBytes);
}

/** struct fsxattr, of which only the project id at byte 12 is changed. */
const fsxattrBytes = new Uint8Array(28);
const fsxattrView = new DataView(fsxattrBytes.buffer);
const FSXATTR_PROJECT_ID = 12;

/** Gives an open file or directory to a quota project. */
export function setProjectId(fd: number, projectId: number): number {
  fsxattrBytes.fill(0);
  const result = ioctl(fd, FS_IOC_FSGETXATTR, fsxattrBytes);
  if (result < 0) return result;
  fsxattrView.setUint32(FSXATTR_PROJECT_ID, projectId, true);
  return ioctl(fd, FS_IOC_FSSETXATTR, fsxattrBytes);
}
