/**
 * What can be restored without FFI of a file's metadata, and what cannot.
 *
 * @module
 */

import * as fs from "node:fs";
import { OsError } from "#src/errors.ts";
import { Errno } from "#ffi/libc/calls.ts";
import type { Timestamp } from "#src/tree/node.ts";
import { type Acl, hasAccessAcl } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { RestoreFeatures } from "./options.ts";
import type { ProblemSink } from "./report.ts";
import { isRestoredXattr } from "./xattr_names.ts";

/** Reports what an entry has of attributes that only system calls can set. */
export function reportUnsupported(
  metadata: Metadata,
  features: RestoreFeatures,
  path: string,
  problems: ProblemSink,
): void {
  const { xattrs, fcaps, acl, projectId, flags } = metadata;
  const missing: [isThere: boolean, step: string][] = [
    [features.xattrs && xattrs.some(({ name }) => isRestoredXattr(name)), "set xattrs of"],
    [features.fcaps && fcaps !== undefined, "set file capabilities of"],
    [features.acls && hasAcl(acl), "set ACL of"],
    [features.projectIds && projectId !== 0n, "set project id of"],
    [features.flags && flags !== 0n, "set attributes of"],
  ];
  for (const [isThere, step] of missing) {
    if (!isThere) continue;
    const error = new OsError(Errno.EOPNOTSUPP, step, path, { hint: "Allow FFI" });
    problems.add(path, step, error, "error");
  }
}

function hasAcl(acl: Acl): boolean {
  return hasAccessAcl(acl) || acl.default !== undefined || acl.defaultUsers.length > 0 ||
    acl.defaultGroups.length > 0;
}

const MILLISECOND = 1e6;

/**
 * Sets the times of an open file. What is lost: less than a microsecond, and before 1970 less than
 * a millisecond.
 *
 * @param hostPath where the file is
 */
export function setOpenTime(fd: number, hostPath: string, time: Timestamp): void {
  const { seconds, nanoseconds } = time;
  // This call takes seconds as a double, and times before 1970 for the present.
  const isWhole = nanoseconds === 0 || nanoseconds % MILLISECOND !== 0;
  if (seconds >= 0 && isWhole) {
    const value = seconds + nanoseconds / 1e9;
    return fs.futimesSync(fd, value, value);
  }
  // This one has exact milliseconds but needs a descriptor of its own; it must be of the same file.
  using file = Deno.openSync(hostPath, { read: true });
  const stat = file.statSync();
  const own = fs.fstatSync(fd);
  if (stat.dev !== own.dev || stat.ino !== own.ino) {
    throw new OsError(Errno.ESTALE, "set time of the exchanged file", hostPath);
  }
  // It rounds down; half a millisecond keeps what a double cannot hold away from the borders.
  const value = seconds + (Math.floor(nanoseconds / MILLISECOND) + 0.5) / 1000;
  file.utimeSync(value, value);
}
