/**
 * Proxmox datastores: a local directory with its snapshots, chunks, locks and chores, and the
 * formats of what is in it.
 *
 * Backing up and restoring are in `backup/mod.ts`; they work on the ports (`ports.ts`) that a
 * {@link Datastore} opens.
 *
 * @example
 * ```ts
 * import { Datastore, parseNamespace } from "@pbkfs/pbkfs/pbs";
 *
 * function storeImage(path: string, content: Uint8Array<ArrayBuffer>): number {
 *   const store = Datastore.open(path, { access: "write" });
 *   const group = { ns: parseNamespace(""), type: "host", id: "elsa" } as const;
 *   const writer = store.startSnapshot({ group });
 *   try {
 *     const image = writer.openFixed("disk.img.fidx", content.length, 4 << 20);
 *     image.write(content);
 *     image.finish();
 *     return writer.finish().newChunkCount;
 *   } finally {
 *     writer.abort();
 *     store.close();
 *   }
 * }
 * ```
 *
 * @module
 */

export * from "#src/codecs/codecs.ts";
export { sha256Of } from "#src/codecs/hashing.ts";
export {
  describeRsaKey,
  generateRsaKeys,
  type RsaKeyPair,
  type RsaPublicKey,
} from "#src/codecs/rsa.ts";
export * from "./crypt/blob_codec.ts";
export { catalogBytes } from "./snapshots/catalog_source.ts";
export * from "./crypt/crypt_config.ts";
export * from "./datastore.ts";
export * from "./snapshot_types.ts";
export * from "./storage/directory/directory_options.ts";
export * from "./gc/garbage_collection.ts";
export { type GcStatus, type GcStatusFields, gcStatusFields } from "./gc/status.ts";
export type { LocalSnapshotReader } from "./snapshots/local_snapshot_reader.ts";
export * from "./crypt/manifest_signature.ts";
export * from "./crypt/master_key.ts";
export { createSharedChunkMemory, type SharedChunkMemory } from "./reading/shared_chunk_memory.ts";
export { insertChunk, type Insertion } from "./storage/chunk_insertion.ts";
export type { ChunkWriting, DirectoryChunks } from "./storage/directory/directory_chunks.ts";
export type {
  DirectoryDescription,
  DirectoryStorage,
} from "./storage/directory/directory_storage.ts";
export type { DirectoryLocking } from "./storage/directory/directory_storage.ts";
export type { BadChunks } from "./storage/directory/bad_chunk.ts";
export type { DirectoryGarbage } from "./storage/directory/garbage/directory_garbage.ts";
export type { DirectoryFiles } from "./storage/directory/directory_files.ts";
export type { ObjectLocks } from "./storage/directory/object_locks.ts";
export type { ProcessLock } from "./storage/directory/process_lock.ts";
export { openStorage, registerStorage } from "./storage/open_storage.ts";
export type * from "./storage/storage.ts";
export * from "./storage/garbage_support.ts";
export type * from "./storage/locks.ts";
export {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "./writing/store_chunk_handler.ts";
export type { ChunkKeeper, KeeperDescription } from "./writing/chunk_keeper.ts";
export { openKeeper, registerKeeper } from "./writing/open_keeper.ts";
export { describeStorageKeeper, type StorageKeeperDescription } from "./writing/storage_keeper.ts";
export type { Description } from "#src/threads/openers.ts";
export { startStoreThreads } from "./writing/store_threads.ts";
export * from "./ports.ts";
export * from "./snapshots/prune.ts";
export { openServer, type OpenServerOptions } from "./client/open_server.ts";
export type { ServerLogin } from "./client/server_login.ts";
export type { ChunkDiskCacheAddress } from "./client/chunk_disk_cache.ts";
export type { Rate } from "#src/net/rate_limit.ts";
export type { Proxy } from "#src/net/tls/proxy.ts";
export type { CopyableStore, StoredSnapshot } from "./sync/ports.ts";
export type {
  NewIndex,
  OpenIndex,
  SnapshotDestination,
  StoredOrigin,
} from "./snapshots/snapshot_destination.ts";
export type * from "./sync/report.ts";
export type { CopyCounts } from "./sync/snapshot_copy.ts";
export * from "./sync/sync_stores.ts";
export * from "./verify/verify_store.ts";
export { serveDatastoreThread } from "./thread_roles.ts";
export type { VerifyThreads } from "./verify/threads.ts";
export type { SpawnThread, Thread } from "#src/threads/thread.ts";
export * from "./format/archive_name.ts";
export * from "./format/catalog.ts";
export * from "./format/catalog_reader.ts";
export * from "./format/catalog_writer.ts";
export type {
  ChunkIndex,
  EncodedIndex,
  HashBytes,
  IndexHeader,
  IndexLayout,
  IndexStamp,
} from "./format/chunk_index.ts";
export type { JsonObject, JsonValue } from "./format/canonical_json.ts";
export * from "./format/crypt.ts";
export * from "./format/dynamic_index.ts";
export * from "./format/fixed_index.ts";
export * from "./format/key_file.ts";
export * from "./format/manifest.ts";
export * from "./format/snapshot_path.ts";
