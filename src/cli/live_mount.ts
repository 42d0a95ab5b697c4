/**
 * From a mount point to the worker behind it.
 *
 * The worker leaves its process id and its diff directory in `.pbkfs/worker.pid` under the mount root. That
 * file can be written by whoever owns the mount, so it only leads to the diff directory; who is signalled is
 * the holder of the diff's lock, and only when the lock file is the caller's or root's, or that of the user who
 * runs the process: root must not be led to signal anybody else's.
 *
 * @module
 */

import * as v from "valibot";
import { OsError, StateError } from "#src/errors.ts";
import { findMount, resolveMountPoint } from "#src/mount/mod.ts";
import { realPathOfMissing } from "#src/overlay/diff_directory.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import * as host from "#src/io/host.ts";

/** Type of our mounts in the kernel's table. */
const MOUNT_TYPE = "fuse.pbkfs";
/** The file that leads to the worker, in its directory. */
export const PID_FILE_NAME = "worker.pid";
/** A mount that does not answer in this time is taken for dead. */
const ANSWER_TIMEOUT_MS = 2000;

const PidRecordSchema = v.object({ pid: v.number(), diff_dir: v.string() });

/** What is known of the worker of a mount. */
export interface LiveMount {
  /** Absolute path without links. */
  readonly mountPath: string;
  /**
   * `hidden`: one of our mounts, which this user may not look into; `dead`: one whose worker is gone; `silent`: one
   * that does not answer.
   */
  readonly state: "absent" | "alive" | "hidden" | "dead" | "silent";
  /** Undefined when neither the mount nor the caller names it. */
  readonly diffPath: string | undefined;
  /** Process id of the live worker; undefined when there is none or it is not known. */
  readonly pid: number | undefined;
}

/**
 * Finds the worker of a mount.
 *
 * @param diffHint where the diff directory is, for a mount that cannot say so
 * @throws {OsError} EPERM when the worker is somebody else's
 */
export async function findLiveMount(path: string, diffHint?: string): Promise<LiveMount> {
  const mountPath = resolveMountPoint(path);
  const answer = isOurMount(mountPath) ? await askMount(mountPath) : { state: "absent" as const };
  const diffPath = diffHint === undefined ? answer.diffPath : realPathOfMissing(diffHint);
  const pid = diffPath === undefined ? undefined : findWorker(diffPath, mountPath);
  return { mountPath, state: answer.state, diffPath, pid };
}

/** The error for a path at which none of our mounts is. */
export function notMounted(mountPath: string): StateError {
  return new StateError("not-mounted", `target is not mounted: ${mountPath}`);
}

/** Text of the file that leads to the worker. */
export function formatPidRecord(pid: number, diffPath: string): string {
  return JSON.stringify({ pid, diff_dir: diffPath }, null, 2) + "\n";
}

function isOurMount(mountPath: string): boolean {
  return findMount(mountPath)?.type === MOUNT_TYPE;
}

interface MountAnswer {
  readonly state: LiveMount["state"];
  readonly diffPath?: string;
}

async function askMount(mountPath: string): Promise<MountAnswer> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  try {
    // Asynchronous: a worker that hangs must not hang this process too.
    const text = await Promise.race([
      Deno.readTextFile(`${mountPath}/.pbkfs/${PID_FILE_NAME}`),
      new Promise<never>((_, reject) => {
        timeout.addEventListener("abort", () => reject(timeout.reason));
      }),
    ]);
    return { state: "alive", diffPath: v.parse(PidRecordSchema, JSON.parse(text)).diff_dir };
  } catch (error) {
    if (error instanceof Deno.errors.NotConnected) return { state: "dead" };
    if (error instanceof Deno.errors.PermissionDenied) return { state: "hidden" };
    return { state: timeout.aborted ? "silent" : "alive" };
  }
}

function findWorker(diffPath: string, mountPath: string): number | undefined {
  const holder = findLockHolder(diffPath);
  if (holder === undefined || holder.mountPath !== mountPath) return undefined;
  const { uid, pid } = holder;
  if (uid === 0 || uid === host.getEffectiveUid() || uid === processOwner(pid)) return pid;
  throw new OsError(host.Errno.EPERM, "signal the worker of", mountPath, {
    hint: "The mount is another user's",
  });
}

function processOwner(pid: number | undefined): number | undefined {
  const stat = new host.HostStat();
  return host.statAt(host.At.FDCWD, `/proc/${pid}`, stat) === 0 ? stat.uid : undefined;
}
