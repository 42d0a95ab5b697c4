/**
 * Whiteouts: character devices 0:0 that say in the diff that a name of the lower tree is gone.
 *
 * @module
 */

import type { HostStat } from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";

/** `st_mode` of a whiteout. */
export const WHITEOUT_MODE = FileType.CHARACTER_DEVICE;

/** Whether a host file is a whiteout. */
export function isWhiteout(stat: HostStat): boolean {
  return (stat.mode & FileType.MASK) === FileType.CHARACTER_DEVICE && stat.rdev === 0;
}
