/**
 * Backups that `latest` passes over because they cannot be opened: for whoever wants to know
 * whether his last backup can be restored, that is the answer.
 *
 * @module
 */

import { readInstance } from "#src/pgprobackup/catalog.ts";
import { inspectChain } from "#src/pgprobackup/chain.ts";
import { LATEST } from "#src/sources/choice.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import { nameToMount } from "../mounting/named_source.ts";

/** One, and why it cannot be opened. */
export interface PassedOver {
  readonly backupId: string;
  readonly reason: string;
}

/**
 * Those of a source that is named as the latest backup of pg_probackup; none for any other name.
 * Backups that are being made are not meant.
 *
 * @throws what finding the backup throws
 */
export function backupsPassedOver(source: string): PassedOver[] {
  const { kind, place, item } = nameToMount(source);
  if (kind !== "pgpro" || item?.endsWith(`/${LATEST}`) !== true) return [];
  const { store, instance: name, backupId } = findNamedBackup(place, item);
  const instance = readInstance(store, name);
  const chosen = instance.backups.findIndex(({ id }) => id === backupId);
  return instance.backups.slice(chosen + 1).flatMap((backup) => {
    const { obstacle } = inspectChain(instance, backup);
    if (obstacle === undefined || backup.status === "RUNNING") return [];
    return [{ backupId: backup.id, reason: obstacle.error.message }];
  });
}
