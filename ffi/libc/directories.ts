/**
 * libc for the entries of directories: made, removed, renamed and listed.
 *
 * Conventions as in `calls.ts`: a value or a negative errno.
 *
 * @module
 */

import { encodeCString, SCRATCH_A, SCRATCH_B } from "./c_string.ts";
import { check, failed, libcWith } from "./library.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  mknodat: { parameters: ["i32", "buffer", "u32", "u64"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "isize" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/** Constants of the `*at` calls. */
export const At = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  EMPTY_PATH: 0x1000,
  /** statx(2): what is known suffices; nobody is asked. */
  STATX_DONT_SYNC: 0x4000,
} as const;

/** Flags of renameat2(2). */
export const RenameFlag = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;

/** mkdirat(2). */
export function mkdirAt(directory: number, name: string, mode: number): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().mkdirat(directory, buffer, mode));
}

/** mknodat(2). */
export function mknodAt(directory: number, name: string, mode: number, rdev: number): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().mknodat(directory, buffer, mode, BigInt(rdev)));
}

/** symlinkat(2). */
export function symlinkAt(target: string, directory: number, name: string): number {
  const targetBuffer = encodeCString(target, SCRATCH_A);
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (targetBuffer === undefined || nameBuffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().symlinkat(targetBuffer, directory, nameBuffer));
}

/** linkat(2). `follow` makes a link to what `/proc/self/fd/N` points at. */
export function linkAt(
  directory: number,
  name: string,
  newDirectory: number,
  newName: string,
  follow = false,
): number {
  const nameBuffer = encodeCString(name, SCRATCH_A);
  const newNameBuffer = encodeCString(newName, SCRATCH_B);
  if (nameBuffer === undefined || newNameBuffer === undefined) return -Errno.ENAMETOOLONG;
  const flags = follow ? At.SYMLINK_FOLLOW : 0;
  return check(libc().linkat(directory, nameBuffer, newDirectory, newNameBuffer, flags));
}

/** unlinkat(2) of anything but a directory. */
export function unlinkAt(directory: number, name: string): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().unlinkat(directory, buffer, 0));
}

/** unlinkat(2) of a directory. */
export function rmdirAt(directory: number, name: string): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().unlinkat(directory, buffer, At.REMOVEDIR));
}

/** renameat2(2). */
export function renameAt(
  directory: number,
  name: string,
  newDirectory: number,
  newName: string,
  flags = 0,
): number {
  const nameBuffer = encodeCString(name, SCRATCH_A);
  const newNameBuffer = encodeCString(newName, SCRATCH_B);
  if (nameBuffer === undefined || newNameBuffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().renameat2(directory, nameBuffer, newDirectory, newNameBuffer, flags));
}

/** readlinkat(2). @returns the bytes of the target, or a negative errno */
export function readlinkAt(directory: number, name: string): Uint8Array | number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const target = new Uint8Array(4096);
  const length = Number(libc().readlinkat(directory, buffer, target, BigInt(target.length)));
  return length === -1 ? failed() : target.subarray(0, length);
}

/**
 * getdents64(2): fills `target` with `linux_dirent64` records. @returns the number of bytes, 0 at
 * the end
 */
export function getdents(fd: number, target: Uint8Array<ArrayBuffer>): number {
  const result = Number(libc().getdents64(fd, target, BigInt(target.length)));
  return result === -1 ? failed() : result;
}
