/**
 * Takes a mount down from outside, whatever state it is in.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { unmountPath } from "#src/mount/mod.ts";
import { emptyTemporaryDirectory, openControlDirectory } from "#src/overlay/diff_directory.ts";
import { acquireDiffLock, type DiffLock, findLockHolder } from "#src/overlay/diff_lock.ts";
import { removeFile } from "#src/overlay/durable_file.ts";
import { findLiveMount, type LiveMount, notMounted, PID_FILE_NAME } from "./live_mount.ts";
import { servingProcess, waitForProcess } from "./serving_process.ts";
import { STAT_FILE_NAME } from "./statistics_request.ts";

const SIGKILL = 9;
const POLL_MS = 10;
/** What still uses a mount for a moment after a server has stopped is given this time to go. */
const BUSY_TIMEOUT_MS = 2000;
/** A worker that has much to make durable takes its time. */
const END_TIMEOUT_MS = 60_000;
const KILL_TIMEOUT_MS = 10_000;

/** How to unmount. */
export interface UnmountRequest {
  readonly mountPath: string;
  /** Where the diff directory is, for a mount that cannot say so. */
  readonly diffPath: string | undefined;
  /** Kill the worker and detach the mount although it is in use. */
  readonly force: boolean;
}

/**
 * Unmounts and waits until the worker has ended.
 *
 * @throws {StateError} `not-mounted`, `busy`, or `timeout` when the worker does not end
 */
export async function unmount(request: UnmountRequest): Promise<void> {
  const mount = await findLiveMount(request.mountPath, request.diffPath);
  if (mount.state === "absent") {
    if (mount.pid === undefined) throw notMounted(mount.mountPath);
    await endUnmountedWorker(mount, request.force);
    return;
  }
  const server = mount.state === "alive" && mount.diffPath === undefined
    ? servingProcess(mount.mountPath)
    : undefined;
  if (request.force) await killAndDetach(mount);
  else await unmountAndWait(mount);
  if (server !== undefined) await waitForProcess(server, KILL_TIMEOUT_MS);
}

async function unmountAndWait(mount: LiveMount): Promise<void> {
  // What still refers to a mount whose worker is gone gets nothing but errors.
  if (mount.state === "dead") unmountPath(mount.mountPath, { lazy: true });
  else await unmountWhenFree(mount.mountPath);
  await waitForEnd(mount, END_TIMEOUT_MS);
}

async function unmountWhenFree(mountPath: string): Promise<void> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      unmountPath(mountPath);
      return;
    } catch (error) {
      if (!(error instanceof StateError) || error.code !== "busy") throw error;
      if (performance.now() > deadline) throw busy(mountPath, error);
    }
    await pause(POLL_MS * 10);
  }
}

function busy(mountPath: string, cause: unknown): StateError {
  return new StateError("busy", `target is busy: ${mountPath}`, {
    hint: `Stop what uses it (fuser -vm ${mountPath} lists it), or retry with --force`,
    cause,
  });
}

async function killAndDetach(mount: LiveMount): Promise<void> {
  if (mount.pid !== undefined) host.kill(mount.pid, SIGKILL);
  try {
    // Who serves a mount without a diff directory is not known for sure: ending the connection ends him.
    unmountPath(mount.mountPath, { lazy: true, force: mount.diffPath === undefined });
  } catch (error) {
    // The worker may have been quicker.
    if (!(error instanceof StateError) || error.code !== "not-mounted") throw error;
  }
  await waitForEnd(mount, KILL_TIMEOUT_MS);
  if (mount.pid !== undefined) removeWorkerFiles(mount.diffPath!);
}

/** What a killed worker could not take away itself, unless another one has the diff directory by now. */
function removeWorkerFiles(diffPath: string): void {
  const lock = tryLock(diffPath);
  if (lock === undefined) return;
  try {
    const control = openControlDirectory(diffPath);
    removeFile(`${control.path}/${PID_FILE_NAME}`);
    removeFile(`${control.path}/${STAT_FILE_NAME}`);
    control.close();
    emptyTemporaryDirectory(diffPath);
  } finally {
    lock.release();
  }
}

function tryLock(diffPath: string): DiffLock | undefined {
  try {
    return acquireDiffLock(diffPath, {
      pid: host.getPid(),
      startTime: Math.floor(Date.now() / 1000),
      diffPath,
      mountPath: "",
    });
  } catch (error) {
    if (error instanceof StateError && error.code === "locked") return undefined;
    throw error;
  }
}

/** A worker that has not mounted yet, or whose mount was taken away, is told to end. */
async function endUnmountedWorker(mount: LiveMount, force: boolean): Promise<void> {
  const SIGTERM = 15;
  host.kill(mount.pid!, force ? SIGKILL : SIGTERM);
  await waitForEnd(mount, force ? KILL_TIMEOUT_MS : END_TIMEOUT_MS);
}

/** The lock of the diff directory is free when the worker has done all it had to do. */
async function waitForEnd(mount: LiveMount, timeoutMs: number): Promise<void> {
  if (mount.diffPath === undefined || mount.pid === undefined) return;
  const deadline = performance.now() + timeoutMs;
  while (findLockHolder(mount.diffPath)?.pid === mount.pid) {
    if (performance.now() > deadline) {
      throw new StateError("timeout", `worker ${mount.pid} did not exit after the unmount`, {
        hint: "It may be writing back changes; see its log, or retry with --force",
      });
    }
    await pause(POLL_MS);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
