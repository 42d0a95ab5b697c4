/**
 * What keeps a mount busy, found without a request to the mount itself: programs, mounts in
 * it or over it, and loop devices of its files.
 *
 * @module
 */

import { isWithin } from "#src/io/absolute_path.ts";
import { callersOfThis, HostProcess, listProcesses } from "#src/io/process.ts";
import { listLoopDevices } from "#src/io/loop_device.ts";
import { readMountTable } from "./mount_table.ts";

/** A program that uses a mount. */
export interface MountProcess {
  /** Tells programs from other users, such as loop devices. */
  readonly kind: "process";
  /** Its number in this PID namespace. */
  readonly pid: number;
  /** Name of the executable as the kernel keeps it, up to 15 bytes. */
  readonly name: string;
  /** It has files of the mount open, and does not only work or run there. */
  readonly hasOpenFiles: boolean;
  /** This process descends from it: it is the caller's shell, for example. */
  readonly isCaller: boolean;
}

/** One who uses a mount. */
export type MountUser =
  | MountProcess
  | { readonly kind: "mount"; readonly mountPoint: string }
  | { readonly kind: "loop device"; readonly device: string };

/**
 * Who uses what is mounted at a path of this namespace; processes of others only as root.
 *
 * @param timeoutMs processes that have not been looked at by then are left out
 */
export function findMountUsers(mountPath: string, timeoutMs: number): MountUser[] {
  const isBelow = (path: string) => isWithin(path, mountPath);
  const users: MountUser[] = [];
  for (const { mountPoint, superOptions } of readMountTable()) {
    const isInside = mountPoint !== mountPath && isBelow(mountPoint);
    // Such as `lowerdir=/mnt/a:/mnt/b` of an overlay.
    const isOver = superOptions.some((option) => valuesOf(option).some(isBelow));
    if (isInside || isOver) users.push({ kind: "mount", mountPoint });
  }
  for (const { path, file } of listLoopDevices()) {
    if (isBelow(file)) users.push({ kind: "loop device", device: path });
  }
  const callers = callersOfThis();
  const deadline = performance.now() + timeoutMs;
  for (const pid of listProcesses()) {
    if (performance.now() > deadline) break;
    using process = HostProcess.open(pid);
    if (process === undefined) continue;
    const hasOpenFiles = process.descriptors().some(({ target }) => isBelow(target));
    if (hasOpenFiles || process.places().some(isBelow)) {
      const isCaller = callers.includes(pid);
      users.push({ kind: "process", pid, name: process.name ?? "?", hasOpenFiles, isCaller });
    }
  }
  return users;
}

function valuesOf(option: string): string[] {
  return option.slice(option.indexOf("=") + 1).split(":");
}
