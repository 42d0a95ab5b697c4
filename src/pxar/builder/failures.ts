/**
 * Calls that fail while a directory is read: what costs an entry, and what costs the archive.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { describeErrno, Errno } from "#ffi/libc/calls.ts";
import type { BuildReportBuilder } from "./report.ts";

/**
 * Whether a call failed for a reason that has nothing to do with what it was asked of: then every
 * other entry would be lost like this one. @param result a negative errno
 */
export function isOwnFailure(result: number): boolean {
  return OWN_FAILURES.has(result);
}

const OWN_FAILURES: ReadonlySet<number> = new Set([
  -Errno.EMFILE,
  -Errno.ENFILE,
  -Errno.ENOMEM,
]);

/** Reports an entry that cannot be had. @throws {OsError} when that is the fault of this process */
export function reportMissing(
  report: BuildReportBuilder,
  result: number,
  call: string,
  path: string,
): void {
  if (result === -Errno.EACCES || result === -Errno.EPERM) {
    report.add("unreadable", path, "Permission denied, left out");
  } else if (result === -Errno.ESTALE) {
    report.add("stale", path, "Stale file handle, left out");
  } else if (result === -Errno.EILSEQ) {
    report.add("unreadable", path, "Its name is not UTF-8, which needs FFI: left out");
  } else if (result === -Errno.ENOENT) {
    report.add("vanished", path, "Vanished while the directory was read, left out");
  } else if (REPLACED.has(result)) {
    report.add("replaced", path, "Replaced while the directory was read, left out");
  } else if (isOwnFailure(result)) {
    throw new OsError(-result, call, path);
  } else {
    report.add("unreadable", path, `Cannot ${call}: ${describeErrno(-result)}, left out`);
  }
}

/** What opening gives when something of another kind has taken a name. */
const REPLACED: ReadonlySet<number> = new Set([
  -Errno.ENOTDIR,
  -Errno.EISDIR,
  -Errno.ELOOP,
  -Errno.ENXIO,
  // readlink(2) of what is no link.
  -Errno.EINVAL,
]);
