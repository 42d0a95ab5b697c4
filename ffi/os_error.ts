/**
 * Errors of the operating system, and the errno numbers of Linux (the same on x86-64 and arm64).
 *
 * @module
 */

import { Failure, type FailureOptions } from "./failure.ts";

/** The errno values this program names. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EUCLEAN: 117,
  EREMOTEIO: 121,
  EDQUOT: 122,
} as const;

/** No errno is larger; larger results of calls are values. */
export const ERRNO_MAX = 4095;

/** What they mean, in words that fit behind any call. */
const WORDS: Readonly<Record<string, string>> = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ESRCH: "no such process",
  EINTR: "interrupted",
  EIO: "input/output error",
  ENXIO: "no such device or address",
  E2BIG: "too large",
  EBADF: "bad file descriptor",
  EAGAIN: "not available now",
  ENOMEM: "out of memory",
  EACCES: "permission denied",
  EFAULT: "bad address",
  EBUSY: "in use",
  EEXIST: "there is one already",
  EXDEV: "on another file system",
  ENODEV: "no such device",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EINVAL: "invalid argument",
  ENFILE: "too many open files on this machine",
  EMFILE: "too many open files",
  ENOTTY: "not possible with this kind of file",
  EFBIG: "file too large",
  ENOSPC: "no space left",
  ESPIPE: "cannot be read at random",
  EROFS: "read-only file system",
  EMLINK: "too many links",
  EPIPE: "nobody reads it",
  ERANGE: "out of range",
  EDEADLK: "would wait for itself",
  ENAMETOOLONG: "name too long",
  ENOSYS: "not there in this kernel",
  ENOTEMPTY: "not empty",
  ELOOP: "a symbolic link, or too many of them",
  ENODATA: "no such attribute",
  EBADMSG: "damaged",
  EOVERFLOW: "number too large",
  EILSEQ: "invalid bytes",
  EOPNOTSUPP: "not supported",
  ECONNABORTED: "connection ended",
  ENOTCONN: "not connected; a mount whose program is gone?",
  ETIMEDOUT: "timed out",
  EHOSTDOWN: "host is down",
  EHOSTUNREACH: "host cannot be reached",
  ESTALE: "no longer there",
  EUCLEAN: "file system is damaged",
  EREMOTEIO: "error at the other end",
  EDQUOT: "quota used up",
};

const NAMES = new Map<number, string>(Object.entries(Errno).map(([name, value]) => [value, name]));

/** The symbolic name of an errno, such as `ENOENT`; `errno 999` for one without a name here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** An errno for people: `ENOENT (no such file or directory)`. */
export function describeErrno(errno: number): string {
  const name = errnoName(errno);
  const words = WORDS[name];
  return words === undefined ? name : `${name} (${words})`;
}

/** Conditions that pass by themselves. */
const TEMPORARY: ReadonlySet<number> = new Set([
  Errno.EINTR,
  Errno.EAGAIN,
  Errno.EBUSY,
  Errno.ECONNABORTED,
  Errno.ETIMEDOUT,
  Errno.EHOSTDOWN,
  Errno.EHOSTUNREACH,
]);

/**
 * A system call that failed. `code` is the symbolic errno (`ENOENT`), `errno` its positive number.
 */
export class OsError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "OsError";
  /** Symbol of the errno, such as `ENOENT`, or `errno 999` where it has none here. */
  readonly code: string;

  /** Gives the errno its text; `call` is the system call without arguments, such as `open`. */
  constructor(
    readonly errno: number,
    readonly call: string,
    readonly path: string,
    options?: FailureOptions,
  ) {
    super(`Cannot ${call} "${path}": ${describeErrno(errno)}`, options);
    this.code = errnoName(errno);
  }

  /** True of errnos that pass by themselves, such as EAGAIN and EBUSY. */
  override get isTemporary(): boolean {
    return TEMPORARY.has(this.errno);
  }
}

/**
 * Turns the result of a host call (a value, or a negative errno) into a value or an exception.
 *
 * @throws {OsError} when `result` is negative
 */
export function unwrap(result: number, call: string, path: string): number {
  if (result < 0) throw new OsError(-result, call, path);
  return result;
}
