/**
 * The files that a worker with a diff directory leaves in `.pbkfs/`, for people and scripts.
 * Commands of this program do not need them.
 *
 * @module
 */

/** Leads from the mount to the worker and the diff directory. */
export const PID_FILE_NAME = "worker.pid";

/** The last statistics that were asked for. */
export const STAT_FILE_NAME = "stat";

/** Text of the file that leads to the worker. */
export function formatPidRecord(pid: number, diffPath: string): string {
  return JSON.stringify({ pid, diff_dir: diffPath }, null, 2) + "\n";
}
