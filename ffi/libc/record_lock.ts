/**
 * libc: record locks that belong to an open file (F_OFD_SETLK), not to the process.
 *
 * They conflict with the classic record locks of other processes in both directions, but are not
 * lost when some other descriptor of the same file is closed. flock(2) is another kind, which they
 * do not see.
 *
 * Conventions as in `calls.ts`: a value or a negative errno. The numbers are the same on x86-64 and
 * arm64.
 *
 * @module
 */

import { failed, libcWith } from "./library.ts";

const SYMBOLS = {
  fcntl: {
    parameters: [
      "i32", // int fd
      "i32", // int cmd
      "buffer", // struct flock *lock
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const F_OFD_SETLK = 37;

/** Kinds of record locks; reading needs a descriptor for reading, writing one for writing. */
export const RecordLock = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;

/**
 * struct flock: type at 0 (16 bits), whence, start, length (0: to the end, wherever that is) and
 * pid, all 0.
 */
const flockBytes = new Uint8Array(32);

/**
 * Locks a whole file without waiting, or changes or ends the lock that the open file has.
 *
 * @param type one of {@link RecordLock}
 * @returns -EAGAIN or -EACCES when another open file or process has a lock in the way
 */
export function lockRecord(fd: number, type: number): number {
  flockBytes[0] = type;
  return libc().fcntl(fd, F_OFD_SETLK, flockBytes) === -1 ? failed() : 0;
}
