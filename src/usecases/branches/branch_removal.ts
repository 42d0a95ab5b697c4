/**
 * Removes branches, and makes diffs forget those that are gone.
 *
 * @module
 */

import { dirname } from "node:path";
import * as host from "#ffi/libc/calls.ts";
import { StateError } from "#src/errors.ts";
import { syncDirectory } from "#src/io/files/whole_file.ts";
import {
  type BranchEntry,
  forgetBranch,
  forgetRemovedBranch,
  listBranches,
  parentOf,
  requireNoBranches,
} from "#src/overlay/branches.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import { diffLockedError } from "#src/overlay/diff_lock.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import { requireBinding } from "#src/overlay/diff_directory.ts";
import { describeBranches, type DiffRecord, flatten } from "./branch_tree.ts";

/** A branch that was removed. */
export interface RemovedBranch {
  /** Where it was. */
  readonly path: string;
  /** Space that its changes took; null where they could not be looked at. */
  readonly sizeBytes: number | null;
}

/**
 * Removes a branch with its directory; what it was made over stays. Nothing is removed unless all
 * that is to be removed can be. After a kill the same call goes on.
 *
 * @param options.isRecursive with all its branches, those first; default: one that has branches is
 *   refused
 * @throws {StateError} `not-found` when it is not a diff directory, `bound-elsewhere` when it is no
 *   branch, `has-branches`, `locked` when one is mounted or read
 * @throws {OsError}
 */
export function removeBranches(
  path: string,
  options: { readonly isRecursive?: boolean } = {},
): RemovedBranch[] {
  const absolute = realPathOfMissing(path);
  if (parentOf(requireBinding(absolute, "remove")) === undefined) throw notBranch(absolute);
  if (options.isRecursive !== true) requireNoBranches(absolute, "remove");
  const found = [...flatten(describeBranches(absolute))].toReversed();
  for (const each of found) requireRemovable(each);
  return found.filter(({ state }) => state !== "missing").map(removeOne);
}

function requireRemovable({ path, state }: DiffRecord): void {
  if (state === "mounted" || state === "read") throw diffLockedError(path);
  if (state !== "damaged") return;
  throw new StateError("foreign-diff", `Cannot remove branch "${path}": its record is damaged`, {
    hint: "Remove the directory, and have its parent forget it: `forgetMissingBranches()`",
  });
}

function removeOne({ path, parent, id, sizeBytes }: DiffRecord): RemovedBranch {
  for (const { bindingId, isThere } of listBranches(path)) {
    if (!isThere) forgetBranch(path, bindingId);
  }
  cleanupDiffDirectory(path, { force: false });
  if (parent !== null) forgetRemovedBranch(parent, id);
  // Something else may be mounted there.
  const removed = host.rmdir(path);
  if (removed !== -host.Errno.EBUSY) host.unwrap(removed, "remove", path);
  syncDirectory(dirname(path));
  return { path, sizeBytes };
}

function notBranch(path: string): StateError {
  return new StateError(
    "bound-elsewhere",
    `Cannot remove "${path}" as a branch: it is a diff directory over something else`,
    { hint: "Empty it where it is not wanted any more: `cleanupDiffDirectory()`" },
  );
}

/**
 * Makes a diff forget its branches that are not where they were last: they were removed otherwise,
 * or moved. One that was moved is known again when it is mounted, as long as the diff was not
 * changed since.
 *
 * @throws {StateError} `not-found` when it is not a diff directory
 * @throws {OsError}
 */
export function forgetMissingBranches(path: string): BranchEntry[] {
  const absolute = realPathOfMissing(path);
  requireBinding(absolute, "forget branches of");
  const missing = listBranches(absolute).filter(({ isThere }) => !isThere);
  for (const { bindingId } of missing) forgetBranch(absolute, bindingId);
  return missing;
}
