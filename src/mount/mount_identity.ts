/**
 * Which mount it is. The kernel gives the device number of a mount that has ended to the next one,
 * within milliseconds, and its path may be mounted on again: neither says that a mount is still the
 * one it was.
 *
 * @module
 */

import { uniqueMountIdAt } from "#ffi/libc/calls.ts";
import { findMount, type MountTableEntry } from "./mount_table.ts";

/** One mount at one place; a copy of it at another place has an identity of its own. */
export interface MountIdentity {
  /** `major:minor` of its file system, which all its copies share. */
  readonly device: string;
  /** What is mounted. */
  readonly source: string;
  /**
   * Number that no other mount has; later mounts have larger ones. Undefined before Linux 6.8, and
   * when closed to this user.
   */
  readonly id: number | undefined;
}

/** What is mounted at a path, the uppermost. Never waits for the mount. */
export function identifyMount(path: string): MountIdentity | undefined {
  const entry = findMount(path);
  return entry === undefined ? undefined : identityOf(entry);
}

/**
 * The identity of a mount of the own namespace; of the uppermost where several have the same place.
 */
export function identityOf({ device, source, mountPoint }: MountTableEntry): MountIdentity {
  return { device, source, id: uniqueMountIdAt(mountPoint) };
}

/** Whether two identities are, as far as they tell, those of the same mount at the same place. */
export function isSameMount(one: MountIdentity, other: MountIdentity): boolean {
  const { device, source, id } = one;
  if (id !== undefined && other.id !== undefined) return id === other.id;
  return device === other.device && source === other.source;
}
