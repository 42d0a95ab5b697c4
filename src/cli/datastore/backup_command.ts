/**
 * What commands that back up into a datastore have in common.
 *
 * @module
 */

import { currentSeconds, isAheadOf } from "#src/pbs/clock.ts";
import { formatBackupTime, formatGroup, formatSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { NewBackup } from "#src/usecases/datastore/backup.ts";
import type { Output } from "../output/output.ts";
import { ARCHIVE_ENVIRONMENT } from "./archive_command.ts";
import { snapshotCommand } from "./remedy.ts";
import type { StoreOptions } from "./store.ts";

/** The end of their help. */
export const BACKUP_NOTES = {
  environment: ARCHIVE_ENVIRONMENT,
  exitStatus: {
    1: "Failure (there is no snapshot), or files could not be read (there is one).",
  },
};

/**
 * A time of the future is taken, as by servers, but then it stands in the way of all that comes
 * before that day.
 */
export function warnOfFuture(
  { group, time }: NewBackup,
  options: StoreOptions,
  output: Output,
): void {
  const now = currentSeconds();
  if (time === undefined || !isAheadOf(time, now)) return;
  const name = formatSnapshot({ group, time });
  const removal = snapshotCommand(options, ["forget"], [{ group, time }]);
  output.warning(
    `${name} is ahead of the clock, which says ${
      formatBackupTime(now)
    }: until that day no backup ` +
      `to ${formatGroup(group)} gets the present time; ${removal} removes it`,
  );
}
