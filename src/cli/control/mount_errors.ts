/**
 * What is said of mounts and workers that are not as they should be.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { MountHolder } from "#src/mount/mod.ts";
import type { FoundMount } from "./find_worker.ts";

/** More places than this are counted, not listed. */
const PLACES_MAX = 5;

/** The error for a path at which none of our mounts is. */
export function notMounted({ mountPath, elsewhere }: FoundMount): StateError {
  const message = `target is not mounted: ${mountPath}`;
  const [other] = elsewhere;
  if (other === undefined) return new StateError("not-mounted", message);
  const hint = other.diffPath === undefined
    ? `End it with nsenter -t ${other.pid} -m umount ${mountPath}`
    : `End it with pbkfs unmount -D ${mountPath} -d ${other.diffPath}`;
  return new StateError(
    "not-mounted",
    `${message}; worker ${other.pid} has it in another mount namespace`,
    { hint },
  );
}

/** The error for a mount that is gone from its mount point and goes on at others. */
export function heldElsewhere(mountPath: string, holders: readonly MountHolder[]): StateError {
  const listed = holders.slice(0, PLACES_MAX);
  const more = holders.length - listed.length;
  const places = listed.map(describeHolder).concat(more > 0 ? [`${more} more`] : []);
  const ways = listed.map(unmountCommand);
  return new StateError(
    "busy",
    `unmounted from ${mountPath}, but still mounted at ${places.join(", ")}`,
    {
      hint: `The worker ends when it is unmounted there too (${ways.join("; ")}), ` +
        `or with pbkfs unmount -D ${mountPath} --force`,
    },
  );
}

function describeHolder({ mountPoint, process }: MountHolder): string {
  if (process === undefined) return mountPoint;
  return `${mountPoint} in the mount namespace of process ${process.pid} (${process.name})`;
}

function unmountCommand({ mountPoint, process }: MountHolder): string {
  const enter = process === undefined ? "" : `nsenter -t ${process.pid} -m `;
  return `${enter}umount ${mountPoint}`;
}

/** The error for a mount that nobody answers for, and whose worker cannot be seen. */
export function unansweringMount(mountPath: string): StateError {
  return new StateError("timeout", `mount does not answer: ${mountPath}`, {
    hint: `End it with pbkfs unmount -D ${mountPath} --force`,
  });
}
