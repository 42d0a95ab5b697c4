/**
 * The archive of WAL that a backup of pg_probackup needs to become consistent, or to go on to a
 * later moment.
 *
 * @module
 */

import { readInstance } from "#src/pgprobackup/catalog.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import { getWal } from "../wal/get_wal.ts";
import type { WalSource } from "./wal_feed.ts";

/** An archive that a source has. */
export interface WalArchive extends WalSource {
  /** The backup has no WAL of its own: without the archive no server starts on it. */
  readonly isNeeded: boolean;
}

/** The archive of a source; undefined for a kind that has none. @throws as opening it does */
export function findWalArchive({ kind, place, item }: RecognisedName): WalArchive | undefined {
  if (kind !== "pgpro") return undefined;
  const { store, instance, backupId } = findNamedBackup(place, item);
  const backup = readInstance(store, instance).backups.find(({ id }) => id === backupId);
  return {
    isNeeded: backup?.control?.isStream === false,
    fetch: (name, targetPath) => getWal({ store, instance, name, targetPath }) !== undefined,
  };
}
