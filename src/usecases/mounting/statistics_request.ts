/**
 * Asks the worker of a mount for fresh statistics: SIGUSR1 has it write them on its card, and with
 * SIGUSR2 it counts from zero afterwards. So they need neither the mount nor the diff's disk. An
 * order that it is to obey goes before (`control/worker_orders.ts`).
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import { OsError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { probeMountPoint } from "#src/mount/mount_point.ts";
import { requireRunning, signalWorker } from "./control/end_worker.ts";
import { findMountAt, type FoundMount, type Worker } from "./control/find_worker.ts";
import { notMounted, unansweringMount } from "./control/mount_errors.ts";
import { formatUnmountCall } from "./control/unmount_call.ts";
import { writeOrder } from "./control/worker_orders.ts";
import type { HydrationOrder } from "./hydration/mount_hydration.ts";
import type { StatisticsReport } from "./statistics_report.ts";

const SIGUSR2 = 12;
const ANSWER_TIMEOUT_MS = 2000;
const POLL_MS = 5;

/**
 * The current statistics of a mount, after it has obeyed an order, if there is one.
 *
 * @throws {StateError} `not-mounted`; `not-found` when the worker is gone or cannot be seen;
 *   `stopped` or `timeout` when it does not answer
 * @throws {OsError} EACCES when the mount is closed to this user, or takes no orders of him
 */
export async function requestStatistics(
  mountPath: string,
  options: { readonly reset?: boolean; readonly order?: HydrationOrder },
): Promise<StatisticsReport> {
  using mount = await findMountAt(mountPath);
  const { entry, worker } = mount;
  if (worker === undefined) throw entry === undefined ? notMounted(mount) : await noWorker(mount);
  if (worker.card.read().state === "starting") throw stillStarting(worker);
  requireRunning(worker, mount.mountPath);
  const order = options.order === undefined ? undefined : writeOrder(worker, options.order);
  return await askWorker(worker, mount.mountPath, options.reset === true, order);
}

/** The error for a mount whose worker is not to be found. */
async function noWorker({ mountPath, entry }: FoundMount): Promise<Error> {
  switch (await probeMountPoint(mountPath)) {
    case "hidden":
      return new OsError(host.Errno.EACCES, "look into", mountPath, {
        hint: "Only the user who mounted may: ask as that user",
      });
    case "silent":
      return unansweringMount(mountPath);
    case "alive": {
      const user = entry?.superOptions.find((option) => option.startsWith("user_id="));
      return new StateError("not-found", `the worker of ${mountPath} cannot be seen from here`, {
        hint: `Ask as the user who mounted (${user ?? "see mount(8)"}), where it was mounted`,
      });
    }
    case "dead":
      return new StateError("not-found", "mount process not running (its mount is left)", {
        hint: `Repair it with ${formatUnmountCall({ mountPath })}`,
      });
  }
}

function stillStarting({ pid }: Worker): StateError {
  return new StateError("not-mounted", `worker ${pid} has not mounted yet`, {
    hint: "Ask again when it has",
  });
}

async function askWorker(
  worker: Worker,
  mountPath: string,
  reset: boolean,
  order: string | undefined,
): Promise<StatisticsReport> {
  const before = worker.card.read().statistics?.number;
  signalWorker(worker, reset ? SIGUSR2 : host.SIGUSR1);
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (true) {
    const { statistics } = worker.card.read();
    const isObeyed = order === undefined || statistics?.order === order;
    if (statistics !== undefined && statistics.number !== before && isObeyed) {
      // It is proved to be a worker of this program, and of this user or one whom this user may
      // signal.
      return statistics.report as StatisticsReport;
    }
    if (performance.now() > deadline) throw noAnswer(worker, mountPath);
    await pause(POLL_MS);
  }
}

function noAnswer({ pid, process }: Worker, mountPath: string): StateError {
  const state = process.state;
  const message = state === "ended" ? `worker ${pid} has ended` : `worker ${pid} does not answer`;
  const hint = state === "blocked"
    ? `It waits in the kernel, for a disk or a network; end it with ${
      formatUnmountCall({ mountPath, force: true })
    }`
    : "See its log";
  return new StateError("timeout", `failed to read fresh stats (timeout): ${message}`, { hint });
}
