/**
 * The archive of WAL that a backup of pg_probackup needs to become consistent, or to go on to a
 * later moment.
 *
 * @module
 */

import { readInstance } from "#src/pgprobackup/catalog.ts";
import type { BackupControl } from "#src/pgprobackup/format/control.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import { ArchiveDirectory } from "../wal/archive_directory.ts";
import { getWal } from "../wal/get_wal.ts";
import type { WalSource } from "./wal_feed.ts";

/** An archive that a source has. */
export interface WalArchive extends WalSource {
  /** Of the backup; undefined where it cannot be read. */
  readonly backup: BackupControl | undefined;
  readonly directory: ArchiveDirectory;
}

/** The archive of a source; undefined for a kind that has none. @throws as opening it does */
export function findWalArchive({ kind, place, item }: RecognisedName): WalArchive | undefined {
  if (kind !== "pgpro") return undefined;
  const { store, instance, backupId } = findNamedBackup(place, item);
  const backup = readInstance(store, instance).backups.find(({ id }) => id === backupId);
  return {
    backup: backup?.control,
    directory: new ArchiveDirectory(store, instance),
    fetch: (name, targetPath) => getWal({ store, instance, name, targetPath }) !== undefined,
  };
}
