/**
 * What there is of branches: a diff directory with all that was made over it.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { type BranchEntry, listBranches } from "#src/overlay/branches.ts";
import { isCleanlyEnded } from "#src/overlay/diff_reader.ts";
import { readBinding, requireBinding } from "#src/overlay/diff_directory.ts";
import { findLockHolder, findLockReaders } from "#src/overlay/diff_lock.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import { measureDiff } from "#src/overlay/diff_usage.ts";
import { LEVELS_MAX } from "#src/sources/diff/diff_source.ts";
import { readProfileKeys } from "#src/sources/diff/profile_keys.ts";
import { utcTime } from "#src/sources/source.ts";

/**
 * How a diff directory is: mounted; read by a branch that is mounted, or otherwise; neither; left
 * by a mount that did not end cleanly; mounted once without WAL, so that nothing can be made of it;
 * damaged; or not where its parent knows it to have been.
 */
export type DiffState =
  | "mounted"
  | "read"
  | "clean"
  | "unclean"
  | "no-wal-used"
  | "damaged"
  | "missing";

/** A diff directory and its branches, as plain values. */
export interface DiffRecord {
  /** Absolute. */
  readonly path: string;
  /** `binding_id` of its record. */
  readonly id: string;
  /** The diff directory that it is a branch of; null for one over something else. */
  readonly parent: string | null;
  /** The name of what it was made over; null where its record does not tell. */
  readonly over: string | null;
  /** See {@link DiffState}. */
  readonly state: DiffState;
  /** Where it is mounted; null where it is not, or that is not known. */
  readonly mountPath: string | null;
  /** Space that the changes take; null where they cannot be looked at. */
  readonly sizeBytes: number | null;
  /** ISO 8601 in UTC; null where it is not there. */
  readonly createdAt: string | null;
  /** When it was last mounted or unmounted. */
  readonly lastUsedAt: string | null;
  /** Those that were made over it, by their paths. */
  readonly branches: readonly DiffRecord[];
}

/**
 * Describes a diff directory with all its branches.
 *
 * @throws {StateError} `not-found` when it is not a diff directory
 * @throws {FormatError} when its record is damaged
 * @throws {OsError}
 */
export function describeBranches(path: string): DiffRecord {
  const absolute = realPathOfMissing(path);
  return describe(absolute, requireBinding(absolute, "list branches of"), null, 1);
}

/** All of them, each behind the one that it is a branch of. */
export function* flatten(record: DiffRecord): Generator<DiffRecord> {
  yield record;
  for (const branch of record.branches) yield* flatten(branch);
}

function describe(
  path: string,
  binding: Binding,
  parent: string | null,
  level: number,
): DiffRecord {
  const holder = findLockHolder(path);
  const state = holder === undefined ? stateOf(path, binding) : "mounted";
  const branches = level > LEVELS_MAX ? [] : listBranches(path);
  return {
    path,
    id: binding.binding_id,
    parent,
    over: binding.source?.name ?? null,
    state,
    mountPath: holder?.mountPath ?? null,
    sizeBytes: measureDiff(path).bytes,
    createdAt: utcTime(binding.created_at),
    lastUsedAt: utcTime(binding.last_used_at),
    branches: branches.map((branch) => describeBranch(branch, path, level + 1)),
  };
}

function describeBranch(branch: BranchEntry, parent: string, level: number): DiffRecord {
  const { path, bindingId: id, isThere } = branch;
  try {
    const binding = isThere ? readBinding(path) : undefined;
    if (binding !== undefined) return describe(path, binding, parent, level);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  return {
    path,
    id,
    parent,
    over: null,
    state: isThere ? "damaged" : "missing",
    mountPath: null,
    sizeBytes: null,
    createdAt: null,
    lastUsedAt: null,
    branches: [],
  };
}

function stateOf(path: string, binding: Binding): DiffState {
  if (findLockReaders(path).length > 0) return "read";
  if (!isCleanlyEnded(path, binding)) return "unclean";
  const { no_wal_used: isForgotten } = readProfileKeys(binding, `${path}/${BINDING_FILE_NAME}`);
  return isForgotten ? "no-wal-used" : "clean";
}
