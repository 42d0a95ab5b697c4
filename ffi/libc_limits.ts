/**
 * libc for the limits of a process.
 *
 * Conventions as in `libc.ts`: a value or a negative errno.
 *
 * @module
 */

import { failed, libcWith } from "./_libc_library.ts";
import { readSmallFile } from "./libc.ts";

const SYMBOLS = {
  prlimit64: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const RLIMIT_NOFILE = 7;
/** As many files as any process of the host may have open. */
const OPEN_FILES_MAX = "/proc/sys/fs/nr_open";

/** struct rlimit: the limit in force, and the one up to which anybody may raise it. */
const limits = new BigUint64Array(2);
const limitBytes = new Uint8Array(limits.buffer);

/**
 * Raises the limit of open files of this process as far as it can be: to the hard limit, which root
 * raises before.
 *
 * @returns the limit in force
 */
export function raiseOpenFileLimit(): number {
  const max = readSmallFile(OPEN_FILES_MAX);
  if (typeof max !== "number") {
    limits.fill(BigInt(new TextDecoder().decode(max).trim()));
    if (setLimits()) return Number(limits[0]!);
  }
  if (libc().prlimit64(0, RLIMIT_NOFILE, null, limitBytes) === -1) return failed();
  limits[0] = limits[1]!;
  return setLimits() ? Number(limits[0]!) : failed();
}

function setLimits(): boolean {
  return libc().prlimit64(0, RLIMIT_NOFILE, limitBytes, null) !== -1;
}

/** The limit of open files of this process. */
export function openFileLimit(): number {
  if (libc().prlimit64(0, RLIMIT_NOFILE, null, limitBytes) === -1) return failed();
  return Number(limits[0]!);
}
