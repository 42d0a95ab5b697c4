/**
 * libc: what reading whole trees needs beside `files.ts`: file attributes that only ioctl(2) tells,
 * the kind of a file system, extended attributes without allocation, and copies between
 * descriptors.
 *
^ * Like there, a call returns its value or **a negative errno**.
 *
 * @module
 */

import { failed, libcWith } from "./library.ts";
import { openBeneath } from "./extract.ts";
import { openAt, OpenFlag } from "./files.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  ioctl: {
    parameters: [
      "i32", // int fd
      "u64", // unsigned long request
      "buffer", // char *argp
    ],
    result: "i32",
  },
  fstatfs: {
    parameters: [
      "i32", // int fd
      "buffer", // struct statfs *buf
    ],
    result: "i32",
  },
  flistxattr: {
    parameters: [
      "i32", // int fd
      "buffer", // char *list
      "usize", // size_t size
    ],
    result: "isize",
  },
  fgetxattr: {
    parameters: [
      "i32", // int fd
      "buffer", // const char *name
      "buffer", // void *value
      "usize", // size_t size
    ],
    result: "isize",
  },
  pread: {
    parameters: [
      "i32", // int fd
      "buffer", // void *buf
      "usize", // size_t count
      "i64", // off_t offset
    ],
    result: "isize",
  },
  write: {
    parameters: [
      "i32", // int fd
      "buffer", // const void *buf
      "usize", // size_t count
    ],
    result: "isize",
  },
  sendfile: {
    parameters: [
      "i32", // int out_fd
      "i32", // int in_fd
      "buffer", // off_t *offset
      "usize", // size_t count
    ],
    result: "isize",
  },
  poll: {
    parameters: [
      "buffer", // struct pollfd *fds
      "u64", // nfds_t nfds
      "i32", // int timeout
    ],
    result: "i32",
  },
  mmap: {
    parameters: [
      "usize", // void *addr
      "usize", // size_t length
      "i32", // int prot
      "i32", // int flags
      "i32", // int fd
      "i64", // off_t offset
    ],
    result: "usize",
  },
  madvise: {
    parameters: [
      "usize", // void *addr
      "usize", // size_t length
      "i32", // int advice
    ],
    result: "i32",
  },
  munmap: {
    parameters: [
      "usize", // void *addr
      "usize", // size_t length
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/**
 * Flag of open(2), with a directory as path: a file without a name, which linkat(2) can give one.
 */
export const OPEN_TMPFILE = 0o20000000 | OpenFlag.DIRECTORY;

/**
 * Flag of open(2): reading leaves the time of the last access alone. For owners and root only, else
 * EPERM.
 */
const OPEN_NOATIME = 0o1000000;

/** As `openAt`; reading then leaves the time of the last access alone, where that is allowed. */
export function openQuietlyAt(directory: number, name: string, flags: number): number {
  const fd = openAt(directory, name, flags | OPEN_NOATIME);
  return fd === -Errno.EPERM ? openAt(directory, name, flags) : fd;
}

/** As {@link openQuietlyAt}, of a path that does not lead out of the directory (`openBeneath`). */
export function openQuietlyBeneath(directory: number, path: string, flags: number): number {
  const fd = openBeneath(directory, path, flags | OPEN_NOATIME);
  return fd === -Errno.EPERM ? openBeneath(directory, path, flags) : fd;
}

const FS_IOC_GETFLAGS = 0x8008_6601n;
const FS_IOC_FSGETXATTR = 0x801c_581fn;
const FAT_IOCTL_GET_ATTRIBUTES = 0x8004_7210n;

/**
 * Room for the largest answer: struct fsxattr has 28 bytes; FS_IOC_GETFLAGS writes 4 in spite of
 * its number.
 */
const answer = new Uint8Array(32);
const answerView = new DataView(answer.buffer);

function ask(fd: number, request: bigint, offset: number): number {
  answer.fill(0);
  return libc().ioctl(fd, request, answer) === -1 ? failed() : answerView.getUint32(offset, true);
}

/** Attributes as chattr(1) sets them (FS_IOC_GETFLAGS) of a descriptor opened for reading. */
export function getFileFlags(fd: number): number {
  return ask(fd, FS_IOC_GETFLAGS, 0);
}

/** DOS attributes of a file on a FAT file system. */
export function getFatAttributes(fd: number): number {
  return ask(fd, FAT_IOCTL_GET_ATTRIBUTES, 0);
}

/** Offset of fsx_projid in struct fsxattr. */
const PROJECT_ID_OFFSET = 12;

/** Quota project id (FS_IOC_FSGETXATTR); 0 when there is none. */
export function getProjectId(fd: number): number {
  return ask(fd, FS_IOC_FSGETXATTR, PROJECT_ID_OFFSET);
}

const statfsBytes = new Uint8Array(120);
const statfsView = new DataView(statfsBytes.buffer);

/** `f_type` of the file system that holds `fd`. */
export function getFileSystemMagic(fd: number): number {
  if (libc().fstatfs(fd, statfsBytes) === -1) return failed();
  return statfsView.getUint32(0, true);
}

/** flistxattr(2) into `target`: names, each followed by a NUL. @returns the number of bytes */
export function listXattrInto(fd: number, target: Uint8Array<ArrayBuffer>): number {
  const length = Number(libc().flistxattr(fd, target, BigInt(target.length)));
  return length === -1 ? failed() : length;
}

/** fgetxattr(2) into `target`. @param name with its terminating NUL @returns the number of bytes */
export function getXattrInto(
  fd: number,
  name: Uint8Array<ArrayBuffer>,
  target: Uint8Array<ArrayBuffer>,
): number {
  const length = Number(libc().fgetxattr(fd, name, target, BigInt(target.length)));
  return length === -1 ? failed() : length;
}

/** pread(2) into `target`. @returns the number of bytes, possibly short */
export function preadInto(fd: number, target: Uint8Array<ArrayBuffer>, offset: number): number {
  const count = Number(libc().pread(fd, target, BigInt(target.length), BigInt(offset)));
  return count === -1 ? failed() : count;
}

/** write(2) of `bytes`. @returns the number of bytes, possibly short */
export function writeFrom(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  const count = Number(libc().write(fd, bytes, BigInt(bytes.length)));
  return count === -1 ? failed() : count;
}

/** What a pipe takes as one, pipe(7). */
export const PIPE_BUF = 4096;

const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const pollBytes = new Uint8Array(8);
const pollView = new DataView(pollBytes.buffer);

/** poll(2): waits until a descriptor that somebody made non-blocking takes bytes again. */
export function waitWritable(fd: number): number {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLOUT, true);
  return libc().poll(pollBytes, 1n, -1) === -1 ? failed() : 0;
}

/**
 * poll(2): whether what a descriptor belongs to has failed or ended, such as the connection of a
 * mount.
 */
export function hasFailed(fd: number): boolean {
  pollView.setInt32(0, fd, true);
  pollView.setInt32(4, 0, true);
  return libc().poll(pollBytes, 1n, 0) === 1 && (pollView.getInt16(6, true) & POLLERR) !== 0;
}

/**
 * poll(2): whether a descriptor takes bytes at this moment, or says at once that it never will. A
 * pipe takes {@link PIPE_BUF} of them then.
 */
export function isWritable(fd: number): boolean {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLOUT, true);
  return libc().poll(pollBytes, 1n, 0) === 1;
}

/** poll(2): whether a descriptor has something to read at this moment. */
export function isReadable(fd: number): boolean {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLIN, true);
  return libc().poll(pollBytes, 1n, 0) === 1;
}

/**
 * poll(2): waits up to `timeoutMs` for something to read, or the end of a stream whose other side
 * has gone; on a FIFO for the other side to come.
 *
 * @returns 1 when there is, 0 when the time is over
 */
export function waitReadable(fd: number, timeoutMs: number): number {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLIN, true);
  const count = libc().poll(pollBytes, 1n, timeoutMs);
  return count === -1 ? failed() : count;
}

const sendOffset = new BigInt64Array(1);
const sendOffsetBytes = new Uint8Array(sendOffset.buffer);

/**
 * sendfile(2): the kernel moves bytes to a pipe, socket, device or file. @returns the number of
 * bytes, possibly short
 */
export function sendFile(fdOut: number, fdIn: number, offset: number, length: number): number {
  sendOffset[0] = BigInt(offset);
  const count = Number(libc().sendfile(fdOut, fdIn, sendOffsetBytes, BigInt(length)));
  return count === -1 ? failed() : count;
}

const PROT_READ = 1;
const MAP_SHARED = 1;
const MADV_POPULATE_READ = 22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/**
 * mmap(2) of a part of a file for reading, all its pages read. Meant for write(2), which takes the
 * bytes from the page cache with no copy in between; looking at the bytes from here could end the
 * process. A page that cannot be read must not get that far: the kernel may try it in write(2)
 * again and again, for ever. That every page can is what MADV_POPULATE_READ tells, which older
 * kernels than 5.14 do not know.
 *
 * @param offset a multiple of the page size
 * @returns the address, 0n when the file cannot be mapped or not all of it can be read
 */
export function mapFile(fd: number, offset: number, length: number): bigint {
  const mapped = libc().mmap(0n, BigInt(length), PROT_READ, MAP_SHARED, fd, BigInt(offset));
  const address = BigInt(mapped);
  if (address === MAP_FAILED) return 0n;
  while (libc().madvise(address, BigInt(length), MADV_POPULATE_READ) === -1) {
    if (failed() === -Errno.EINTR) continue;
    unmapFile(address, length);
    return 0n;
  }
  return address;
}

/** munmap(2). */
export function unmapFile(address: bigint, length: number): number {
  return libc().munmap(address, BigInt(length)) === -1 ? failed() : 0;
}
