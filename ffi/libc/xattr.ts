/**
 * libc for extended attributes, of open files and of paths.
 *
 * Conventions as in `calls.ts`: a value or a negative errno.
 *
 * @module
 */

import { encodeCString, SCRATCH_A, SCRATCH_B } from "./c_string.ts";
import { check, failed, libcWith } from "./library.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  fgetxattr: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  flistxattr: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  fremovexattr: { parameters: ["i32", "buffer"], result: "i32" },
  lsetxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  lgetxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  llistxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  lremovexattr: { parameters: ["buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/** Largest value of an extended attribute that Linux allows. */
export const XATTR_SIZE_MAX = 65536;

const NO_BYTES = new Uint8Array(0);

/** fsetxattr(2). */
export function setXattr(fd: number, name: string, value: Uint8Array, flags: number): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ERANGE;
  return check(
    libc().fsetxattr(
      fd,
      buffer,
      value as Uint8Array<ArrayBuffer>,
      BigInt(value.length),
      flags,
    ),
  );
}

/** fgetxattr(2). @returns the value, or a negative errno */
export function getXattr(fd: number, name: string): Uint8Array | number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ERANGE;
  const size = Number(libc().fgetxattr(fd, buffer, NO_BYTES, 0n));
  if (size === -1) return failed();
  const value = new Uint8Array(size);
  const length = Number(libc().fgetxattr(fd, buffer, value, BigInt(size)));
  return length === -1 ? failed() : value.subarray(0, length);
}

/** flistxattr(2). @returns the names, each followed by a NUL, or a negative errno */
export function listXattr(fd: number): Uint8Array | number {
  const names = new Uint8Array(XATTR_SIZE_MAX);
  const length = Number(libc().flistxattr(fd, names, BigInt(names.length)));
  return length === -1 ? failed() : names.subarray(0, length);
}

/** fremovexattr(2). */
export function removeXattr(fd: number, name: string): number {
  const buffer = encodeCString(name, SCRATCH_A);
  if (buffer === undefined) return -Errno.ERANGE;
  return check(libc().fremovexattr(fd, buffer));
}

/** lsetxattr(2): of a path, never following a link. */
export function setLinkXattr(path: string, name: string, value: Uint8Array, flags: number): number {
  const pathBuffer = encodeCString(path, SCRATCH_A);
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (pathBuffer === undefined || nameBuffer === undefined) return -Errno.ERANGE;
  return check(
    libc().lsetxattr(
      pathBuffer,
      nameBuffer,
      value as Uint8Array<ArrayBuffer>,
      BigInt(value.length),
      flags,
    ),
  );
}

/** lgetxattr(2). @returns the value, or a negative errno */
export function getLinkXattr(path: string, name: string): Uint8Array | number {
  const pathBuffer = encodeCString(path, SCRATCH_A);
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (pathBuffer === undefined || nameBuffer === undefined) return -Errno.ERANGE;
  const value = new Uint8Array(XATTR_SIZE_MAX);
  const length = Number(
    libc().lgetxattr(pathBuffer, nameBuffer, value, BigInt(value.length)),
  );
  return length === -1 ? failed() : value.slice(0, length);
}

/** llistxattr(2). @returns the names, each followed by a NUL, or a negative errno */
export function listLinkXattr(path: string): Uint8Array | number {
  const pathBuffer = encodeCString(path, SCRATCH_A);
  if (pathBuffer === undefined) return -Errno.ENAMETOOLONG;
  const names = new Uint8Array(XATTR_SIZE_MAX);
  const length = Number(libc().llistxattr(pathBuffer, names, BigInt(names.length)));
  return length === -1 ? failed() : names.subarray(0, length);
}

/** lremovexattr(2). */
export function removeLinkXattr(path: string, name: string): number {
  const pathBuffer = encodeCString(path, SCRATCH_A);
  const nameBuffer = encodeCString(name, SCRATCH_B);
  if (pathBuffer === undefined || nameBuffer === undefined) return -Errno.ERANGE;
  return check(libc().lremovexattr(pathBuffer, nameBuffer));
}
