/**
 * What is said of mounts and workers that are not as they should be.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { MountHolder } from "#src/mount/mount_holders.ts";
import type { MountUser } from "#src/mount/mount_users.ts";
import type { FoundMount } from "./find_worker.ts";
import { shellWord } from "#src/bytes/shell_word.ts";
import { formatUnmountCall } from "./unmount_call.ts";

/** More places than this are counted, not listed. */
const PLACES_MAX = 5;

/** The error for a path at which none of our mounts is. */
export function notMounted({ mountPath, elsewhere }: FoundMount): StateError {
  const message = `target is not mounted: ${mountPath}`;
  const [other] = elsewhere;
  if (other === undefined) return new StateError("not-mounted", message);
  const hint = other.diffPath === undefined
    ? `End it with nsenter -t ${other.pid} -m umount ${shellWord(mountPath)}`
    : `End it with ${formatUnmountCall({ mountPath, diffPath: other.diffPath })}`;
  return new StateError(
    "not-mounted",
    `${message}; worker ${other.pid} has it in another mount namespace`,
    { hint },
  );
}

/** The error for a mount that is in use. */
export function busyMount(
  mountPath: string,
  users: readonly MountUser[],
  cause: unknown,
): StateError {
  const usedBy = users.length === 0 ? "" : `, used by ${list(users, describeUser)}`;
  const ways = new Set(users.map(wayToFree));
  const first = ways.size === 0 ? "Stop what uses it" : `First ${list([...ways], String)}`;
  return new StateError("busy", `target is busy: ${mountPath}${usedBy}`, {
    hint: `${first}; or end it at once with ${formatUnmountCall({ mountPath, force: true })}`,
    cause,
  });
}

/** What is to be told of programs that outlive a mount which was ended by force. */
export function diskInUse(users: readonly MountUser[]): string | undefined {
  const programs = users.filter((user) => user.kind === "process" && user.hasOpenFiles);
  if (programs.length === 0) return undefined;
  return "the disk of the diff directory is in use until programs that have files of the mount open end: " +
    list(programs, describeUser);
}

function describeUser(user: MountUser): string {
  switch (user.kind) {
    case "process":
      return isOwnPlace(user)
        ? `${user.name} (process ${user.pid}), which called this command from inside`
        : `${user.name} (process ${user.pid})`;
    case "mount":
      return `the mount at ${user.mountPoint}`;
    case "loop device":
      return user.device;
  }
}

/** One that is only in the way because its working directory is inside. */
function isOwnPlace(user: MountUser): boolean {
  return user.kind === "process" && user.isCaller && !user.hasOpenFiles;
}

function wayToFree(user: MountUser): string {
  switch (user.kind) {
    case "process":
      return isOwnPlace(user) ? "cd / in the shell that called this command" : "stop the programs";
    case "mount":
      return `umount ${shellWord(user.mountPoint)}`;
    case "loop device":
      return `losetup -d ${user.device}`;
  }
}

/** The first ones of several, and how many more there are. */
function list<T>(items: readonly T[], describe: (item: T) => string): string {
  const more = items.length - PLACES_MAX;
  const shown = items.slice(0, PLACES_MAX).map(describe);
  return shown.concat(more > 0 ? [`${more} more`] : []).join(", ");
}

/** The error for a mount that is gone from its mount point and goes on at others. */
export function heldElsewhere(mountPath: string, holders: readonly MountHolder[]): StateError {
  const ways = holders.slice(0, PLACES_MAX).map(umountCommand);
  return new StateError(
    "busy",
    `unmounted from ${mountPath}, but still mounted at ${list(holders, describeHolder)}`,
    {
      hint: `The worker ends when it is unmounted there too (${ways.join("; ")}), ` +
        `or with ${formatUnmountCall({ mountPath, force: true })}`,
    },
  );
}

function describeHolder({ mountPoint, process }: MountHolder): string {
  if (process === undefined) return mountPoint;
  return `${mountPoint} in the mount namespace of process ${process.pid} (${process.name})`;
}

function umountCommand({ mountPoint, process }: MountHolder): string {
  const enter = process === undefined ? "" : `nsenter -t ${process.pid} -m `;
  return `${enter}umount ${shellWord(mountPoint)}`;
}

/** The error for a mount that nobody answers for, and whose worker cannot be seen. */
export function unansweringMount(mountPath: string): StateError {
  return new StateError("timeout", `mount does not answer: ${mountPath}`, {
    hint: `End it with ${formatUnmountCall({ mountPath, force: true })}`,
  });
}
