/**
 * What can be restored without FFI of a file's metadata, and what cannot.
 *
 * @module
 */

import * as fs from "node:fs";
import { OsError } from "#src/errors.ts";
import { Errno } from "#src/io/host.ts";
import type { Timestamp } from "#src/tree/node.ts";
import { NO_ACL, type PxarMetadata } from "../entry.ts";
import type { RestoreFeatures } from "./options.ts";
import type { ProblemSink } from "./report.ts";
import { isRestoredXattr } from "./xattr_names.ts";

/** Reports what an entry has of attributes that only system calls can set. */
export function reportUnsupported(
  metadata: PxarMetadata,
  features: RestoreFeatures,
  path: string,
  problems: ProblemSink,
): void {
  const { xattrs, fcaps, acl, projectId, flags } = metadata;
  const missing: [isThere: boolean, step: string][] = [
    [features.xattrs && xattrs.some(({ name }) => isRestoredXattr(name)), "set xattrs of"],
    [features.fcaps && fcaps !== undefined, "set file capabilities of"],
    [features.acls && acl !== NO_ACL, "set ACL of"],
    [features.projectIds && projectId !== 0n, "set project id of"],
    [features.flags && flags !== 0n, "set attributes of"],
  ];
  for (const [isThere, step] of missing) {
    if (!isThere) continue;
    const error = new OsError(Errno.EOPNOTSUPP, step, path, { hint: "Allow FFI" });
    problems.add(path, step, error, "error");
  }
}

/**
 * Sets the times of an open file, to the millisecond.
 *
 * @param hostPath where the file is
 */
export function setOpenTime(fd: number, hostPath: string, time: Timestamp): void {
  // Both calls round down; half a millisecond keeps what a double cannot hold away from the borders.
  const seconds = time.seconds + (Math.floor(time.nanoseconds / 1e6) + 0.5) / 1000;
  if (seconds >= 0) return fs.futimesSync(fd, seconds, seconds);
  // Times before 1970 mean the present to that call. A second descriptor, if it is that of the same file, can do it.
  using file = Deno.openSync(hostPath, { read: true });
  const stat = file.statSync();
  const own = fs.fstatSync(fd);
  if (stat.dev !== own.dev || stat.ino !== own.ino) {
    throw new OsError(Errno.ESTALE, "set time of the exchanged file", hostPath);
  }
  file.utimeSync(seconds, seconds);
}
