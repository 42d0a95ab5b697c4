/**
 * Copies: any source that this package can read as an archive, or as a snapshot of a datastore here
 * or on a server. {@link copySource} and {@link commit} are the ways in; {@link copyIntoArchive}
 * and {@link copyIntoStore} are for sources and datastores that are open already.
 *
 * @module
 */

export { commit, type CopiedSource, copySource, type SourceCopying } from "./named_copy.ts";
export {
  type ArchiveCopy,
  type ArchiveCopyReport,
  copyIntoArchive,
  copyIntoStore,
  type SnapshotCopy,
} from "./copy.ts";
export {
  type ArchiveTarget,
  type CopyTarget,
  parseCopyTarget,
  type SnapshotTarget,
} from "./copy_target.ts";
export type { OpenTarget } from "./stored_origins.ts";
export type {
  BackupCallbacks,
  BackupCrypt,
  BackupProblem,
  BackupProgress,
  BackupWarning,
  FinishedBackup,
} from "../datastore/backup.ts";
export type {
  DirectoryRepository,
  Repository,
  ServerRepository,
} from "#src/pbs/client/repository.ts";
export type { Credentials } from "#src/sources/source.ts";
