/**
 * pg_probackup catalogs (storage format 2.4.x and 2.5.x): a backup and its chain as a
 * {@link MountableTree}, and what a catalog holds.
 *
 * `openPgProbackupTree` is the way in for reading; `readInstance` and `inspectChain` tell what is
 * there. Formats are parsed by the pure functions in `format/`; page data is read through the
 * `ByteSource` that the caller opens.
 *
 * @module
 */

export {
  attachPgProbackupTree,
  openChain,
  type OpenChainOptions,
  type OpenedChain,
  openPgProbackupTree,
  type PgProbackupAccess,
  type PgProbackupOptions,
  type PgProbackupTarget,
  PgProbackupTree,
} from "./pgprobackup_tree.ts";
export {
  createPageCounterMemory,
  PageCounters,
  type PageCounts,
  sumPageCounters,
} from "./page_counters.ts";
export { type BackupIdentity, identifyBackup } from "./backup_identity.ts";
export { type Backup, findBackup, type Instance, listInstances, readInstance } from "./catalog.ts";
export { describeChainChange } from "./chain_change.ts";
export { type ChainLock, lockChain, type LockReader } from "./chain_lock.ts";
export {
  type Chain,
  type ChainMember,
  type ChainReport,
  inspectChain,
  type Obstacle,
  resolveChain,
} from "./chain.ts";
export {
  type BackupDescription,
  type CatalogDescription,
  describeCatalog,
  type DescribeOptions,
  type ExternalDirectoryDescription,
  type InstanceDescription,
  type TablespaceDescription,
} from "./describe.ts";
export {
  BACKUP_STATUSES,
  type BackupControl,
  type BackupMode,
  type BackupStatus,
} from "./format/control.ts";
export type { InstanceConfig } from "./format/instance_config.ts";
export { builtInCodecs, type Codecs, endNativeCodecs, nativeCodecs } from "#src/codecs/codecs.ts";
export type { ByteSource, OpenSource } from "#src/io/byte_source.ts";
