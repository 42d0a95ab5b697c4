/**
 * libc: open files and their bytes.
 *
 * Every function is synchronous and returns its value, or **a negative errno**; nothing here throws
 * because of a failed call ({@link unwrap} in `os_error.ts` makes an exception of one). Names are
 * strings as in `src/bytes/file_name.ts`. Addresses and 64-bit numbers that matter for speed are
 * bigint: a plain number for a 64-bit parameter takes a slow path.
 *
 * Works on x86-64 and arm64: flags that differ are chosen by architecture.
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
  sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32" },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
  },
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
export const Fallocate = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 16,
} as const;

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

/**
 * dup3(2): makes `target` mean what `fd` means, in one step for all threads.
 *
 * @param flags 0: programs that are started get it too
 */
export function replaceFd(fd: number, target: number, flags: number = OpenFlag.CLOEXEC): number {
  return check(libc().dup3(fd, target, flags));
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

const SYNC_FILE_RANGE_WRITE = 2;

/** sync_file_range(2): starts to write the pages of a file, and makes nothing durable. */
export function startWriting(fd: number): number {
  return check(libc().sync_file_range(fd, 0n, 0n, SYNC_FILE_RANGE_WRITE));
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
