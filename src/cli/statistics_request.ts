/**
 * Asks the worker of a mount for fresh statistics.
 *
 * The worker replaces `.pbkfs/stat` as a whole when it gets SIGUSR1; with SIGUSR2 it counts from zero afterwards.
 *
 * @module
 */

import { OsError, StateError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { openControlDirectory } from "#src/overlay/diff_directory.ts";
import { readSmallTextFile } from "#src/overlay/durable_file.ts";
import { findLiveMount, type LiveMount, notMounted } from "./live_mount.ts";
import { servingProcess } from "./serving_process.ts";
import type { StatisticsReport } from "./statistics_report.ts";

/** Name of the file with the statistics, in the worker's directory. */
export const STAT_FILE_NAME = "stat";

const SIGUSR1 = 10;
const SIGUSR2 = 12;
const ANSWER_TIMEOUT_MS = 2000;
const POLL_MS = 5;

/**
 * The current statistics of a mount.
 *
 * @throws {StateError} `not-mounted`; `not-found` when the worker is gone; `timeout` when it does not answer
 * @throws {OsError} EACCES when the mount is closed to this user
 */
export async function requestStatistics(
  mountPath: string,
  options: { reset: boolean },
): Promise<StatisticsReport> {
  const mount = await findLiveMount(mountPath);
  if (mount.state === "absent") throw notMounted(mount.mountPath);
  if (mount.state === "alive" && mount.diffPath === undefined) refuseArchive(mount.mountPath);
  if (mount.pid === undefined || mount.diffPath === undefined) throw noWorker(mount);
  const control = openControlDirectory(mount.diffPath);
  try {
    return await askWorker(mount.pid, control.path, options.reset);
  } finally {
    control.close();
  }
}

/** The error for a mount whose worker is not to be found. */
function noWorker({ state, mountPath }: LiveMount): Error {
  if (state === "hidden") {
    return new OsError(host.Errno.EACCES, "look into", mountPath, {
      hint: "Only the user who mounted may: ask as that user",
    });
  }
  if (state === "silent") {
    return new StateError("timeout", `mount does not answer: ${mountPath}`, {
      hint: `End it with pbkfs unmount -D ${mountPath} --force`,
    });
  }
  return new StateError("not-found", "mount process not running (stale PID file)", {
    hint: `Repair it with pbkfs unmount -D ${mountPath}`,
  });
}

/** A mounted archive has no directory in which statistics could be. */
function refuseArchive(mountPath: string): void {
  if (servingProcess(mountPath) === undefined) return;
  throw new StateError("not-found", `Cannot read statistics of "${mountPath}": it is an archive`);
}

async function askWorker(
  pid: number,
  controlPath: string,
  reset: boolean,
): Promise<StatisticsReport> {
  const path = `${controlPath}/${STAT_FILE_NAME}`;
  const before = fileIdentity(path);
  const signal = reset ? SIGUSR2 : SIGUSR1;
  host.unwrap(host.kill(pid, signal), "signal", `process ${pid}`);
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (fileIdentity(path) === before) {
    if (performance.now() > deadline) {
      throw new StateError("timeout", "failed to read fresh stats (timeout)", {
        hint: `Worker ${pid} does not answer; see its log`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return JSON.parse(readSmallTextFile(path) ?? "{}");
}

/** Changes whenever the file is replaced. */
function fileIdentity(path: string): string {
  const stat = new host.HostStat();
  if (host.statAt(host.At.FDCWD, path, stat) < 0) return "";
  return `${stat.ino} ${stat.ctimeSeconds}.${stat.ctimeNanoseconds}`;
}
