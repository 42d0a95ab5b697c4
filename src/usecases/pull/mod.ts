/**
 * Backups of other hosts: this one walks, decides and stores, the client only answers. A client is
 * whatever implements `ClientProvider` of `./backup`.
 *
 * @module
 */

export * from "./backup_store.ts";
export type {
  BackupCrypt,
  BackupProblem,
  BackupProgress,
  FinishedBackup,
} from "../datastore/backup.ts";
export type { ClientProvider } from "#src/backup/client/provider.ts";
export type { DirectoryAddress, ServerAddress, StoreAddress } from "#src/pbs/store_address.ts";
