/**
 * Backups into snapshots, and what is made of snapshots: restored archives, images and files, parts
 * of files, new snapshots.
 *
 * Everything works on the ports of `pbs/ports.ts`; `pbs/mod.ts` has the local datastore behind
 * them.
 *
 * @module
 */

export * from "./archive_access.ts";
export * from "./assemble.ts";
export * from "./backup.ts";
export * from "./backup_options.ts";
export * from "./backup_spec.ts";
export * from "./chunk_map.ts";
export * from "./file_range.ts";
export * from "./restore.ts";
export type { PayloadOrigin } from "./reuse/original_files.ts";
export type { ReuseStatistics } from "./reuse/reuse_statistics.ts";
export * from "./client/file_system_accessor.ts";
export * from "./client/host_accessor.ts";
export * from "./client/local_client.ts";
export * from "./client/provider.ts";
