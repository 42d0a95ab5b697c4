/**
 * Mounts: any source that this package can read as a directory, read-only or with what is written
 * kept aside. {@link mount} is the way in; `./mount` is for file systems of a program's own.
 *
 * @module
 */

export { type Mount, mount, type MountOptions } from "./thread/mount.ts";
export type { Owner } from "#src/tree/attribute_override_tree.ts";
export type { Setting } from "./server_settings.ts";
export type { EndOptions } from "#src/mount/mount.ts";
export type { Credentials, NamedServer } from "#src/sources/source.ts";
export { LOG_LEVELS, type LogLevelName } from "#src/log/level.ts";
export {
  describeBranches,
  type DiffRecord,
  type DiffState,
  flatten,
} from "../branches/branch_tree.ts";
export {
  forgetMissingBranches,
  removeBranches,
  type RemovedBranch,
} from "../branches/branch_removal.ts";
export type { BranchEntry, DiffIdentity } from "#src/overlay/branches.ts";
