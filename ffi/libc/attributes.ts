/**
 * libc: attributes of files, and the space of the file systems that hold them.
 *
 * Works on x86-64 and arm64: attributes come from statx(2), whose layout is the same everywhere. As
 * in `files.ts`, a call returns its value or **a negative errno**.
 *
 * @module
 */

import { Errno } from "../os_error.ts";
import { encodeCString, SCRATCH_A } from "./c_string.ts";
import { At } from "./directories.ts";
import { check, failed, libcWith } from "./library.ts";

const SYMBOLS = {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  fstatvfs: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/** Attributes of a host file, from statx(2). */
export class HostStat {
  /** File type and permission bits, as `st_mode`. */
  mode = 0;
  /** Hard links; of a directory, what its file system counts. */
  nlink = 0;
  /** Owner, as a number: names are not looked up. */
  uid = 0;
  /** Owning group, as a number. */
  gid = 0;
  /** Inode number, unique only together with `device`. */
  ino = 0;
  /** Length in bytes; of a symbolic link that of its target. */
  size = 0;
  /** Space taken, in units of 512 bytes whatever the block size. */
  blocks = 0;
  /** Size of a read or write that suits the file system. */
  blockSizeBytes = 0;
  /** Device number of a device node in the kernel's 32-bit form. */
  rdev = 0;
  /** Device that holds the file. */
  device = 0;
  /** Last access, seconds since 1970, negative before. */
  atimeSeconds = 0;
  /** Rest of the last access, 0…999999999. */
  atimeNanoseconds = 0;
  /** Last change of the content, seconds since 1970. */
  mtimeSeconds = 0;
  /** Rest of the last change of the content, 0…999999999. */
  mtimeNanoseconds = 0;
  /** Last change of content or attributes, seconds since 1970; cannot be set. */
  ctimeSeconds = 0;
  /** Rest of the last change of content or attributes, 0…999999999. */
  ctimeNanoseconds = 0;
}

const STATX_BASIC = 0x7ff;
const statxBytes = new Uint8Array(256);
const statxView = new DataView(statxBytes.buffer);
const emptyName = new Uint8Array(1);

function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function uint64(offset: number): number {
  return statxView.getUint32(offset, true) + statxView.getUint32(offset + 4, true) * 0x1_0000_0000;
}

function int64(offset: number): number {
  return statxView.getUint32(offset, true) + statxView.getInt32(offset + 4, true) * 0x1_0000_0000;
}

function fillStat(out: HostStat): void {
  out.blockSizeBytes = statxView.getUint32(4, true);
  out.nlink = statxView.getUint32(16, true);
  out.uid = statxView.getUint32(20, true);
  out.gid = statxView.getUint32(24, true);
  out.mode = statxView.getUint16(28, true);
  out.ino = uint64(32);
  out.size = uint64(40);
  out.blocks = uint64(48);
  out.atimeSeconds = int64(64);
  out.atimeNanoseconds = statxView.getUint32(72, true);
  out.ctimeSeconds = int64(96);
  out.ctimeNanoseconds = statxView.getUint32(104, true);
  out.mtimeSeconds = int64(112);
  out.mtimeNanoseconds = statxView.getUint32(120, true);
  out.rdev = encodeDevice(statxView.getUint32(128, true), statxView.getUint32(132, true));
  out.device = encodeDevice(statxView.getUint32(136, true), statxView.getUint32(140, true));
}

/** Attributes of an open file. */
export function statFd(fd: number, out: HostStat): number {
  if (libc().statx(fd, emptyName, At.EMPTY_PATH, STATX_BASIC, statxBytes) === -1) return failed();
  fillStat(out);
  return 0;
}

/** Attributes of a name in a directory; a symbolic link is not followed unless `follow`. */
export function statAt(directory: number, name: string, out: HostStat, follow = false): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const flags = follow ? 0 : At.SYMLINK_NOFOLLOW;
  if (libc().statx(directory, buffer, flags, STATX_BASIC, statxBytes) === -1) return failed();
  fillStat(out);
  return 0;
}

/** From Linux 6.8 on. */
const STATX_MNT_ID_UNIQUE = 0x4000;

/**
 * The id of the mount at a path, which no other mount has until the next boot; later mounts have
 * larger ones. Asks the kernel alone, never who serves the mount.
 *
 * @returns undefined where the kernel has no such ids, or the mount is closed to this user
 */
export function uniqueMountIdAt(path: string): number | undefined {
  const buffer = encodeCString(path, SCRATCH_A);
  const flags = At.SYMLINK_NOFOLLOW | At.STATX_DONT_SYNC;
  if (buffer === undefined) return undefined;
  const result = libc().statx(At.FDCWD, buffer, flags, STATX_MNT_ID_UNIQUE, statxBytes);
  const isKnown = result === 0 && (statxView.getUint32(0, true) & STATX_MNT_ID_UNIQUE) !== 0;
  return isKnown ? uint64(144) : undefined;
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): number {
  return check(libc().fchmod(fd, mode));
}

/** fchmodat(2); follows a symbolic link. */
export function chmodAt(directory: number, name: string, mode: number): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().fchmodat(directory, buffer, mode, 0));
}

/** Leaves an id as it is in {@link chownAt}. */
export const KEEP_ID = 0xffff_ffff;

/**
 * fchownat(2) of a name (the link itself when it is one), or of `directory` itself when the name is
 * empty.
 */
export function chownAt(directory: number, name: string, uid: number, gid: number): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const flags = At.SYMLINK_NOFOLLOW | (name === "" ? At.EMPTY_PATH : 0);
  return check(libc().fchownat(directory, buffer, uid, gid, flags));
}

/** Nanoseconds that make {@link utimensAt} set the present time. */
export const UTIME_NOW = 0x3fff_ffff;
/** Nanoseconds that make {@link utimensAt} leave a time as it is. */
export const UTIME_OMIT = 0x3fff_fffe;

const timesBytes = new Uint8Array(32);
const timesView = new DataView(timesBytes.buffer);

function setTimespec(offset: number, seconds: number, nanoseconds: number): void {
  timesView.setBigInt64(offset, BigInt(seconds), true);
  timesView.setBigInt64(offset + 8, BigInt(nanoseconds), true);
}

/**
 * utimensat(2) of a name (never follows a link), or of the open file `directory` when the name is
 * empty.
 */
export function utimensAt(
  directory: number,
  name: string,
  atimeSeconds: number,
  atimeNanoseconds: number,
  mtimeSeconds: number,
  mtimeNanoseconds: number,
): number {
  setTimespec(0, atimeSeconds, atimeNanoseconds);
  setTimespec(16, mtimeSeconds, mtimeNanoseconds);
  if (name === "") return check(libc().futimens(directory, timesBytes));
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().utimensat(directory, buffer, timesBytes, At.SYMLINK_NOFOLLOW));
}

/** Space and file counts of a mounted file system, from fstatvfs(3). */
export interface HostStatvfs {
  readonly blockSizeBytes: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
  readonly nameLengthMax: number;
}

/** fstatvfs(3) of the file system that holds `fd`. */
export function statvfs(fd: number): HostStatvfs | number {
  const bytes = new Uint8Array(112);
  if (libc().fstatvfs(fd, bytes) === -1) return failed();
  const fields = new BigUint64Array(bytes.buffer);
  const field = (index: number) => Number(fields[index]!);
  return {
    blockSizeBytes: field(1),
    blocks: field(2),
    blocksFree: field(3),
    blocksAvailable: field(4),
    files: field(5),
    filesFree: field(6),
    nameLengthMax: field(10),
  };
}
