/**
 * Branches of a diff: diffs that were made over it. The blocks that they hold stand for changes of
 * what it shows, so it stays as it is as long as there are any.
 *
 * Each side knows the other. The record of a branch names its parent, by path and id (key
 * `branch_of`); the parent has a file for each branch, `.pbkfs-branches/ID`, with the path where
 * that was last mounted. A file is written when a branch is mounted, by who has the parent open for
 * reading meanwhile, and removed before the branch is. So a kill leaves a branch without a file at
 * worst, one into which nothing was written yet, or which was to be removed anyway.
 *
 * A parent on a file system that is read-only has no such list, and needs none there: nobody writes
 * to it as long as that lasts. Should somebody do so afterwards, its branches are refused, since
 * they know its content by a mark (`contentMarkOf`).
 *
 * @module
 */

import * as v from "valibot";
import * as host from "#ffi/libc/calls.ts";
import { Failure, StateError } from "#src/errors.ts";
import { removeFile, syncDirectory } from "#src/io/files/whole_file.ts";
import type { Binding } from "./binding.ts";
import { createDirectory, refuseForeign } from "./diff_place.ts";
import { readSmallTextFile, replaceTextFile } from "./durable_file.ts";
import { readHostDirectory } from "./host_directory.ts";

/** Directory in a diff directory with a file for each branch. */
export const BRANCHES_DIRECTORY_NAME = ".pbkfs-branches";

/** Paths that a message has at most. */
const PATHS_MAX = 10;

const uuid = v.pipe(v.string(), v.uuid());
const absolutePath = v.pipe(v.string(), v.maxLength(4096), v.regex(/^\/[^\0]*$/u));

const EntrySchema = v.object({ path: absolutePath });
const ParentSchema = v.object({ branch_of: v.object({ path: absolutePath, binding_id: uuid }) });

/** A diff directory by path and id. */
export interface DiffIdentity {
  /** Absolute. */
  readonly path: string;
  /** `binding_id` of its record. */
  readonly bindingId: string;
}

/** A branch as its parent knows it. */
export interface BranchEntry extends DiffIdentity {
  /**
   * It is where it was last, as a branch of this diff and not of the one that this is a copy of; or
   * that cannot be seen from here.
   */
  readonly isThere: boolean;
}

/** What the record of a branch says of its parent; undefined for other diffs. */
export function parentOf(binding: Binding): DiffIdentity | undefined {
  const result = v.safeParse(ParentSchema, binding);
  if (!result.success) return undefined;
  const { path, binding_id: bindingId } = result.output.branch_of;
  return { path, bindingId };
}

/** The keys of a branch's record that {@link parentOf} reads. */
export function parentKeys({ path, bindingId }: DiffIdentity): Record<string, unknown> {
  return { branch_of: { path, binding_id: bindingId } };
}

/** The branches of a diff, by their paths. @throws {OsError} */
export function listBranches(diffPath: string): BranchEntry[] {
  const directory = `${diffPath}/${BRANCHES_DIRECTORY_NAME}`;
  const { RDONLY, DIRECTORY, NOFOLLOW } = host.OpenFlag;
  const fd = host.open(directory, RDONLY | DIRECTORY | NOFOLLOW);
  if (fd === -host.Errno.ENOENT) return [];
  host.unwrap(fd, "open", directory);
  try {
    return readHostDirectory(fd).map(({ name }) => name)
      .filter((name) => v.is(uuid, name))
      .map((bindingId) => readEntry(diffPath, bindingId))
      .filter((entry) => entry !== undefined)
      .toSorted((one, other) => one.path < other.path ? -1 : 1);
  } finally {
    host.close(fd);
  }
}

/** @returns undefined where it was removed meanwhile, or is no entry */
function readEntry(diffPath: string, bindingId: string): BranchEntry | undefined {
  let value: unknown;
  try {
    const path = `${diffPath}/${BRANCHES_DIRECTORY_NAME}/${bindingId}`;
    value = JSON.parse(readSmallTextFile(path) ?? "null");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!v.is(EntrySchema, value)) return undefined;
  const place = { path: value.path, bindingId };
  return { ...place, isThere: isThere(place, diffPath) };
}

function isThere(branch: DiffIdentity, parentPath: string): boolean {
  try {
    const binding = bindingAt(branch);
    const parent = binding && parentOf(binding);
    if (parent === undefined) return binding !== undefined;
    // Where its parent was moved to is said when it is mounted the next time.
    return parent.path === parentPath || bindingAt(parent) === undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // What cannot be read may be it.
    return !(error instanceof StateError);
  }
}

/** The record of a diff, if it is where it was. */
function bindingAt({ path, bindingId }: DiffIdentity): Binding | undefined {
  const binding = refuseForeign(path);
  return binding?.binding_id === bindingId ? binding : undefined;
}

/**
 * Tells a diff of a branch, or where that is now; unless it lies where nothing can be written. The
 * caller has the diff open for reading.
 *
 * @throws {OsError}
 */
export function recordBranch(parentPath: string, { path, bindingId }: DiffIdentity): void {
  if (readEntry(parentPath, bindingId)?.path === path) return;
  unlessReadOnly(() => {
    const directory = `${parentPath}/${BRANCHES_DIRECTORY_NAME}`;
    const parent = new host.HostStat();
    host.unwrap(host.stat(parentPath, parent), "stat", parentPath);
    const { uid, gid } = parent;
    if (createDirectory(directory)) {
      if (host.getEffectiveUid() === 0) {
        host.unwrap(host.lchown(directory, uid, gid), "chown", directory);
      }
      syncDirectory(parentPath);
    }
    const text = `${JSON.stringify({ path })}\n`;
    const options = { mode: 0o600, durable: true, owner: { uid, gid } };
    replaceTextFile(directory, bindingId, text, options);
  });
}

function unlessReadOnly(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof host.OsError) || error.errno !== host.Errno.EROFS) throw error;
  }
}

/**
 * Makes a diff forget a branch. The name of another one that was given its path is left.
 *
 * @throws {OsError}
 */
export function forgetBranch(parentPath: string, bindingId: string): void {
  const directory = `${parentPath}/${BRANCHES_DIRECTORY_NAME}`;
  if (!removeFile(`${directory}/${bindingId}`)) return;
  syncDirectory(directory);
  // Fails while there are others.
  host.rmdir(directory);
}

/**
 * Makes the parent of a branch that is to be removed forget it. Where nothing can be written it is
 * known there as one that is not there any more.
 *
 * @throws {OsError}
 */
export function forgetRemovedBranch(parentPath: string, bindingId: string): void {
  unlessReadOnly(() => forgetBranch(parentPath, bindingId));
}

/**
 * Refuses what would change or remove a diff that has branches.
 *
 * @param what is refused: `mount`
 * @throws {StateError} `has-branches`
 */
export function requireNoBranches(diffPath: string, what: string): void {
  const branches = listBranches(diffPath);
  if (branches.length === 0) return;
  const names = branches.slice(0, PATHS_MAX)
    .map(({ path, isThere }) => `"${path}"${isThere ? "" : " (not there any more)"}`);
  if (branches.length > PATHS_MAX) names.push(`and ${branches.length - PATHS_MAX} more`);
  const has = branches.length === 1 ? "it has a branch" : `it has ${branches.length} branches`;
  const isAnyLost = branches.some(({ isThere }) => !isThere);
  throw new StateError(
    "has-branches",
    `Cannot ${what} diff directory "${diffPath}": ${has}, ${names.join(", ")}`,
    {
      hint: "Make another branch of it to go on from here, or remove them first " +
        "(`removeBranches()`)" +
        (isAnyLost ? "; `forgetMissingBranches()` forgets those that are not there" : ""),
    },
  );
}
