/**
 * libc for many small files of one directory: names are C strings that the caller has made already,
 * and no call allocates.
 *
 * Conventions as in `calls.ts`: a value or a negative errno. Names end with a NUL.
 *
 * @module
 */

import { check, failed, libcWith } from "./library.ts";
import { At } from "./directories.ts";
import { UTIME_NOW, UTIME_OMIT } from "./attributes.ts";
import { OpenFlag } from "./files.ts";

const SYMBOLS = {
  // int openat(int dirfd, const char *pathname, int flags, mode_t mode)
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  // int mkdirat(int dirfd, const char *pathname, mode_t mode)
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int unlinkat(int dirfd, const char *pathname, int flags)
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  // int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned
  // int flags)
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  // int utimensat(int dirfd, const char *pathname, const struct timespec times[2], int flags)
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  // int fchownat(int dirfd, const char *pathname, uid_t owner, gid_t group, int flags)
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  // int fchmodat(int dirfd, const char *pathname, mode_t mode, int flags)
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx
  // *statxbuf)
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  // int posix_fadvise(int fd, off_t offset, off_t len, int advice)
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** A name with its terminating NUL. */
export type CName = Uint8Array<ArrayBuffer>;

const libc = libcWith(SYMBOLS);

/** openat(2) with O_CLOEXEC. @returns a descriptor */
export function openNamed(directory: number, name: CName, flags: number, mode = 0): number {
  return check(libc().openat(directory, name, flags | OpenFlag.CLOEXEC, mode));
}

/** mkdirat(2). */
export function mkdirNamed(directory: number, name: CName, mode: number): number {
  return check(libc().mkdirat(directory, name, mode));
}

/** unlinkat(2) of anything but a directory. */
export function unlinkNamed(directory: number, name: CName): number {
  return check(libc().unlinkat(directory, name, 0));
}

/**
 * renameat2(2) within a directory; replaces what has the new name unless the flags say otherwise.
 */
export function renameNamed(directory: number, name: CName, newName: CName, flags = 0): number {
  return check(libc().renameat2(directory, name, directory, newName, flags));
}

/** fchownat(2); a symbolic link is not followed. */
export function chownNamed(directory: number, name: CName, uid: number, gid: number): number {
  return check(libc().fchownat(directory, name, uid, gid, At.SYMLINK_NOFOLLOW));
}

/** fchmodat(2). */
export function chmodNamed(directory: number, name: CName, mode: number): number {
  return check(libc().fchmodat(directory, name, mode, 0));
}

/** The access time becomes now, the time of the last change stays. */
const accessNow = new Uint8Array(
  new BigInt64Array([0n, BigInt(UTIME_NOW), 0n, BigInt(UTIME_OMIT)]).buffer,
);

/** Sets the time of the last access to now. */
export function touchNamed(directory: number, name: CName): number {
  return check(libc().utimensat(directory, name, accessNow, At.SYMLINK_NOFOLLOW));
}

const STATX_TYPE_AND_SIZE = 0x201;
const MODE_OFFSET = 28;
const SIZE_OFFSET = 40;
const TYPE_REGULAR = 0o10;
const statxBytes = new Uint8Array(256);
const statxView = new DataView(statxBytes.buffer);

/** Size of a regular file in bytes; 0 for everything else, also for symbolic links. */
export function sizeNamed(directory: number, name: CName): number {
  const result = libc().statx(
    directory,
    name,
    At.SYMLINK_NOFOLLOW,
    STATX_TYPE_AND_SIZE,
    statxBytes,
  );
  if (result === -1) return failed();
  if (statxView.getUint16(MODE_OFFSET, true) >> 12 !== TYPE_REGULAR) return 0;
  return statxView.getUint32(SIZE_OFFSET, true) +
    statxView.getUint32(SIZE_OFFSET + 4, true) * 0x1_0000_0000;
}

const STATX_INO = 0x100;
const INO_OFFSET = 32;

/** Inode number; a symbolic link is not followed. */
export function inodeNamed(directory: number, name: CName): number {
  const result = libc().statx(directory, name, At.SYMLINK_NOFOLLOW, STATX_INO, statxBytes);
  if (result === -1) return failed();
  return statxView.getUint32(INO_OFFSET, true) +
    statxView.getUint32(INO_OFFSET + 4, true) * 0x1_0000_0000;
}

const POSIX_FADV_WILLNEED = 3;

/** posix_fadvise(3): the system reads a range ahead, the whole file unless told. */
export function adviseWanted(fd: number, offset = 0, size = 0): number {
  return -libc().posix_fadvise(fd, BigInt(offset), BigInt(size), POSIX_FADV_WILLNEED);
}
