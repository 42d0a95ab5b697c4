/**
 * Restores: any source that this package can read, into directories of its own; a chain of
 * pg_probackup as a data directory that a server starts on. {@link restore} is the way in.
 *
 * @module
 */

export { restore, type RestoreOptions } from "./named_restore.ts";
export type { RestoreProgress, RestoreRequest, RestoreSummary } from "./restore.ts";
export type { DatabaseChoice, LayoutRequest } from "./layout.ts";
export type { TargetRequest } from "./target.ts";
export { RECOVERY_ACTIONS, type RestoredRecovery } from "./recovery.ts";
export type { RecoveryTarget } from "#src/postgres/settings.ts";
export type { Owner } from "#src/tree/attribute_override_tree.ts";
export type { Credentials } from "#src/sources/source.ts";
