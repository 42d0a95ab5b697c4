/**
 * Whether a server will find the WAL that it needs on what is to be restored.
 *
 * @module
 */

import { RECOVERY_SIGNAL_NAME } from "../mounting/server_settings.ts";
import { requireWal } from "../wal/missing_wal.ts";
import type { RestoreLayout } from "./layout.ts";
import { type RestoredRecovery, STANDBY_SIGNAL_NAME } from "./recovery.ts";

const WAYS_OUT = {
  fromElsewhere: {
    hint: "Bring it there, choose another backup, or say how segments are fetched",
    option: "restoreCommand",
  },
  withoutArchive: {
    hint: "Choose another backup, or restore it as it is, without what checks it",
    option: "validate",
  },
};

/**
 * Checks it, as far as it can be known: nobody knows what a command of one's own fetches, or a
 * primary sends.
 *
 * @throws {StateError} `wal-missing` with the first segment that is not there; `not-found` for a
 *   timeline that cannot be followed
 * @throws {FormatError | OsError} when something that tells it cannot be read
 */
export function requireRecoveryWal(
  { backup, wal, roots }: RestoreLayout,
  request: RestoredRecovery | undefined,
): void {
  if (backup === undefined || wal === undefined) return;
  if (request?.restoreCommand !== undefined) return;
  if (request?.standby?.primaryConninfo !== undefined) return;
  const root = roots[0]!.node;
  const isRecovering = request !== undefined || backup.needsArchive;
  // Settings of the former server say then where its WAL comes from.
  const isFollowing = [RECOVERY_SIGNAL_NAME, STANDBY_SIGNAL_NAME]
    .some((name) => root.lookup(name) !== undefined);
  if (!isRecovering && isFollowing) return;
  const { target, timeline } = request ?? {};
  requireWal({ label: backup.label, ...wal, root, target, timeline }, isRecovering, WAYS_OUT);
}
