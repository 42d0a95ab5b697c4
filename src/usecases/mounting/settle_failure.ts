/**
 * What is said of a diff directory that could not be made durable at the end of its mount.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";

/** What has happened to the diff directory or its disk, as far as the error tells. */
type Trouble = "gone" | "full" | "read-only" | "failing";

const TROUBLES: ReadonlyMap<number, Trouble> = new Map([
  [Errno.ENOENT, "gone"],
  [Errno.ENOTDIR, "gone"],
  [Errno.ESTALE, "gone"],
  [Errno.ENOSPC, "full"],
  [Errno.EDQUOT, "full"],
  [Errno.EROFS, "read-only"],
]);

/** What is to be done before the diff directory is mounted again. */
const REPAIRS: Readonly<Record<Exclude<Trouble, "gone">, string>> = {
  full: "Make room on its disk",
  "read-only": "Make its disk writable again (the kernel's log says why it is not)",
  failing: "Repair its disk (the kernel's log says what is wrong with it)",
};

/**
 * The error for a diff directory whose last sync failed.
 *
 * @param error what the sync threw; anything but a failed system call is given back
 * @param skipFsync programs were told that their data is durable when it was not
 */
export function settleFailure(error: unknown, diffPath: string, skipFsync: boolean): unknown {
  if (!(error instanceof OsError)) return error;
  const trouble = TROUBLES.get(error.errno) ?? "failing";
  const hint = trouble === "gone" ? hintForGone(skipFsync) : hintFor(trouble, skipFsync);
  return new OsError(error.errno, "make all changes durable in", diffPath, { hint, cause: error });
}

/** Nobody knows here which of both it was. */
function hintForGone(skipFsync: boolean): string {
  const safe = skipFsync
    ? "with `skipFsync` nothing that was written since the mount is safe there"
    : "what programs had synced (fsync, a checkpoint) is safe there";
  return "It was taken away while it was mounted. What was removed is lost, synced or not. " +
    `If it was moved, ${safe}: mount it from where it is now, and unmount it`;
}

function hintFor(trouble: Exclude<Trouble, "gone">, skipFsync: boolean): string {
  const safe = skipFsync
    ? "With `skipFsync` nothing that was written since the mount is safe"
    : trouble === "failing"
    ? "What programs had synced (fsync, a checkpoint) is as safe as the disk is, later changes may be lost"
    : "What programs had synced (fsync, a checkpoint) is safe, later changes may be lost";
  return `${safe}. ${REPAIRS[trouble]}, then mount the diff directory and unmount it again`;
}
