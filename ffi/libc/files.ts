/**
 * libc: open files, their bytes and their attributes.
 *
 * Every function is synchronous and returns its value, or **a negative errno**; nothing here throws
 * because of a failed call ({@link unwrap} in `os_error.ts` makes an exception of one). Names are
 * strings as in `src/bytes/file_name.ts`. Addresses and 64-bit numbers that matter for speed are
 * bigint: a plain number for a 64-bit parameter takes a slow path.
 *
 * Works on x86-64 and arm64: flags that differ are chosen by architecture, and file attributes come
 * from statx(2), whose layout is the same everywhere.
 *
 * @module
 */

import { Errno } from "../os_error.ts";
import { encodeCString, SCRATCH_A } from "./c_string.ts";
import { check, failed, libcWith } from "./library.ts";
import { At } from "./directories.ts";

const SYMBOLS = {
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  dup: { parameters: ["i32"], result: "i32" },
  dup3: { parameters: ["i32", "i32", "i32"], result: "i32" },
  read: { parameters: ["i32", "usize", "usize"], result: "isize" },
  write: { parameters: ["i32", "usize", "usize"], result: "isize" },
  pread: { parameters: ["i32", "usize", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "usize", "usize", "i64"], result: "isize" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  syncfs: { parameters: ["i32"], result: "i32" },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
  },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  fstatvfs: { parameters: ["i32", "buffer"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const isArm64 = Deno.build.arch === "aarch64";

/** Flags of open(2) for this architecture. */
export const OpenFlag = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  ACCESS_MASK: 3,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  DIRECT: isArm64 ? 0o200000 : 0o40000,
  DIRECTORY: isArm64 ? 0o40000 : 0o200000,
  NOFOLLOW: isArm64 ? 0o100000 : 0o400000,
} as const;

/** Operations of flock(2). */
export const Lock = { SHARED: 1, EXCLUSIVE: 2, NONBLOCKING: 4, UNLOCK: 8 } as const;

/** Flags of fallocate(2). */
export const Fallocate = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;

/** lseek(2) whence. */
export const Seek = { SET: 0, CURRENT: 1, END: 2, DATA: 3, HOLE: 4 } as const;

/** A buffer for system calls; see `src/bytes/native_buffer.ts`. */
export interface AllocatedBuffer {
  /** Zeros at first; what C writes is seen here at once. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Address of the first byte, for arguments of C functions. */
  readonly address: bigint;
}

/** Allocates a zeroed buffer whose address is known. It lives as long as the returned object. */
export function allocateNativeBuffer(sizeBytes: number): AllocatedBuffer {
  return nativeBufferOf(new Uint8Array(sizeBytes));
}

/** Makes existing bytes usable by address. The bytes live as long as the returned object. */
export function nativeBufferOf(bytes: Uint8Array<ArrayBuffer>): AllocatedBuffer {
  return { bytes, address: Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)) };
}

/** openat(2) with O_CLOEXEC. @returns a descriptor */
export function openAt(directory: number, name: string, flags: number, mode = 0): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().openat(directory, buffer, flags | OpenFlag.CLOEXEC, mode));
}

/** open(2) of a path with O_CLOEXEC. @returns a descriptor */
export function open(path: string, flags: number, mode = 0): number {
  return openAt(At.FDCWD, path, flags, mode);
}

/** close(2). */
export function close(fd: number): number {
  return check(libc().close(fd));
}

/** dup(2). @returns a descriptor */
export function dup(fd: number): number {
  return check(libc().dup(fd));
}

/** dup3(2): makes `target` mean what `fd` means, in one step for all threads. */
export function replaceFd(fd: number, target: number): number {
  return check(libc().dup3(fd, target, OpenFlag.CLOEXEC));
}

/** read(2) to an address. @returns the number of bytes */
export function read(fd: number, address: bigint, size: bigint): number {
  const result = Number(libc().read(fd, address, size));
  return result === -1 ? failed() : result;
}

/** write(2) from an address. @returns the number of bytes */
export function write(fd: number, address: bigint, size: bigint): number {
  const result = Number(libc().write(fd, address, size));
  return result === -1 ? failed() : result;
}

/** pread(2) to an address. @returns the number of bytes, possibly short */
export function pread(fd: number, address: bigint, size: bigint, offset: bigint): number {
  const result = Number(libc().pread(fd, address, size, offset));
  return result === -1 ? failed() : result;
}

/** pwrite(2) from an address. @returns the number of bytes, possibly short */
export function pwrite(fd: number, address: bigint, size: bigint, offset: bigint): number {
  const result = Number(libc().pwrite(fd, address, size, offset));
  return result === -1 ? failed() : result;
}

/** Reads until `size` bytes or the end of the file. @returns the number of bytes */
export function preadFully(fd: number, address: bigint, size: number, offset: number): number {
  let done = 0;
  while (done < size) {
    const count = pread(
      fd,
      address + BigInt(done),
      BigInt(size - done),
      BigInt(offset + done),
    );
    if (count === -Errno.EINTR) continue;
    if (count < 0) return count;
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all `size` bytes. @returns `size`, or the count before the error if some were written */
export function pwriteFully(fd: number, address: bigint, size: number, offset: number): number {
  let done = 0;
  while (done < size) {
    const count = pwrite(
      fd,
      address + BigInt(done),
      BigInt(size - done),
      BigInt(offset + done),
    );
    if (count === -Errno.EINTR) continue;
    if (count < 0) return done > 0 ? done : count;
    done += count;
  }
  return done;
}

/** lseek(2). @returns the offset */
export function lseek(fd: number, offset: number, whence: number): number {
  const result = Number(libc().lseek(fd, BigInt(offset), whence));
  return result === -1 ? failed() : result;
}

/** ftruncate(2). */
export function ftruncate(fd: number, size: number): number {
  return check(libc().ftruncate(fd, BigInt(size)));
}

/** fallocate(2). */
export function fallocate(fd: number, mode: number, offset: number, length: number): number {
  return check(libc().fallocate(fd, mode, BigInt(offset), BigInt(length)));
}

/** fsync(2). */
export function fsync(fd: number): number {
  return check(libc().fsync(fd));
}

/** fdatasync(2). */
export function fdatasync(fd: number): number {
  return check(libc().fdatasync(fd));
}

/** syncfs(2): writes everything of the file system that holds `fd`. */
export function syncfs(fd: number): number {
  return check(libc().syncfs(fd));
}

const rangeIn = new BigInt64Array(1);
const rangeOut = new BigInt64Array(1);
const rangeInBytes = new Uint8Array(rangeIn.buffer);
const rangeOutBytes = new Uint8Array(rangeOut.buffer);

/** copy_file_range(2). @returns the number of bytes copied, possibly fewer than asked */
export function copyFileRange(
  fdIn: number,
  offsetIn: number,
  fdOut: number,
  offsetOut: number,
  length: number,
): number {
  rangeIn[0] = BigInt(offsetIn);
  rangeOut[0] = BigInt(offsetOut);
  const result = Number(
    libc().copy_file_range(fdIn, rangeInBytes, fdOut, rangeOutBytes, BigInt(length), 0),
  );
  return result === -1 ? failed() : result;
}

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

/** flock(2). */
export function flock(fd: number, operation: number): number {
  return check(libc().flock(fd, operation));
}

/** ioctl(2) with a buffer argument. @returns the call's value */
export function ioctl(fd: number, request: bigint, argument: Uint8Array<ArrayBuffer>): number {
  return check(libc().ioctl(fd, request, argument));
}

const MFD_CLOEXEC = 1;
/** Hosts can insist on it (`vm.memfd_noexec`); before Linux 6.3 there is no such flag. */
const MFD_NOEXEC_SEAL = 8;

/** memfd_create(2) of a file that nobody executes, with MFD_CLOEXEC. @returns a descriptor */
export function memfdCreate(name: string): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const result = check(libc().memfd_create(buffer, MFD_CLOEXEC | MFD_NOEXEC_SEAL));
  return result === -Errno.EINVAL ? check(libc().memfd_create(buffer, MFD_CLOEXEC)) : result;
}

/** Nearly all small files fit. */
const SMALL_FILE_BUFFER_SIZE = 16 * 1024;

/** Reads a whole small file, such as one below /proc that Deno's own calls refuse. */
export function readSmallFile(path: string, sizeMax = 1 << 20): Uint8Array | number {
  const fd = open(path, OpenFlag.RDONLY);
  if (fd < 0) return fd;
  let buffer = allocateNativeBuffer(Math.min(sizeMax, SMALL_FILE_BUFFER_SIZE));
  let length = 0;
  while (length < sizeMax) {
    if (length === buffer.bytes.length) {
      const larger = allocateNativeBuffer(Math.min(sizeMax, 4 * length));
      larger.bytes.set(buffer.bytes);
      buffer = larger;
    }
    const room = BigInt(buffer.bytes.length - length);
    const count = read(fd, buffer.address + BigInt(length), room);
    if (count === -Errno.EINTR) continue;
    if (count < 0) {
      close(fd);
      return count;
    }
    if (count === 0) break;
    length += count;
  }
  close(fd);
  return buffer.bytes.subarray(0, length);
}
