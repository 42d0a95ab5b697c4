/**
 * What a mount point must not have when something is to be mounted there.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { findMount } from "#src/mount/mount_table.ts";
import { findWorkerOf, MOUNT_TYPE } from "./find_worker.ts";
import { formatUnmountCall } from "./unmount_call.ts";

/**
 * Refuses a mount point that a live worker serves. It is not asked: it may have stopped.
 *
 * @throws {StateError} `busy`
 */
export function refuseServedMount(mountPath: string): void {
  const entry = findMount(mountPath);
  if (entry?.type !== MOUNT_TYPE) return;
  using worker = findWorkerOf(entry);
  if (worker === undefined) return;
  const state = worker.process.state === "stopped" ? ", which is stopped" : "";
  throw new StateError(
    "busy",
    `Mount point "${mountPath}" is already mounted by worker ${worker.pid}${state}`,
    {
      hint: `Give another directory, or unmount that one first: ` +
        formatUnmountCall(state === "" ? { mountPath } : { mountPath, force: true }),
    },
  );
}
