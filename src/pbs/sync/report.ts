/**
 * What a sync has done, or would do.
 *
 * @module
 */

import type { CopyCounts } from "./snapshot_copy.ts";

/**
 * What became of something:
 *
 * - `copied`: it was not in the target
 * - `present`: it was
 * - `skipped`: it is not wanted, or cannot be copied any more: see {@link SyncOutcome.reason}
 * - `removed`: it had vanished from the source
 * - `kept`: so it had, but it must not be removed
 * - `failed`: see {@link SyncOutcome.error}
 */
export type SyncResult = "copied" | "present" | "skipped" | "removed" | "kept" | "failed";

/** Why a snapshot is skipped or kept. */
export type SyncReason =
  | "unfinished"
  | "not-encrypted"
  | "not-verified"
  /** There is a younger one in the target, after which a server takes none. */
  | "older-than-target"
  /** It was removed from the source meanwhile. */
  | "vanished"
  | "protected"
  | "locked";

/** What became of a snapshot, or of a group or namespace as a whole. */
export interface SyncOutcome {
  /** `[ns]:host/elsa/2024-01-10T10:00:00Z`, a group, or a namespace. */
  readonly name: string;
  /** What became of it. */
  readonly result: SyncResult;
  /** Why that, where it is skipped or kept. */
  readonly reason?: SyncReason;
  /** Of what was copied; undefined where nothing is done in earnest. */
  readonly counts?: CopyCounts | undefined;
  /** Of what has failed. */
  readonly error?: unknown;
}

/** What a sync has done. */
export interface SyncReport {
  /** In the order in which they came. */
  readonly outcomes: readonly SyncOutcome[];
  /** Whether nothing has failed. */
  readonly isComplete: boolean;
}
