/**
 * Proxmox datastores: a local directory with its snapshots, chunks, locks and chores, and the formats of what is in it.
 *
 * Backing up and restoring are in `backup/mod.ts`; they work on the ports (`ports.ts`) that a {@link Datastore} opens.
 *
 * @example
 * ```ts
 * import { Datastore, parseNamespace } from "#src/pbs/mod.ts";
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

export * from "./blob_codec.ts";
export * from "./crypt_config.ts";
export * from "./datastore.ts";
export * from "./datastore_types.ts";
export * from "./gc/garbage_collection.ts";
export { type GcStatus, type GcStatusFields, gcStatusFields } from "./gc/status.ts";
export {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "./store/store_chunk_handler.ts";
export { startStoreThreads } from "./store/store_threads.ts";
export * from "./ports.ts";
export * from "./prune.ts";
export * from "./verify/verify_store.ts";
export { isVerifyWorker, serveVerifyWorker, type VerifyThreads } from "./verify/threads.ts";
export * from "./format/archive_name.ts";
export * from "./format/catalog.ts";
export * from "./format/catalog_reader.ts";
export * from "./format/catalog_writer.ts";
export * from "./format/crypt.ts";
export * from "./format/dynamic_index.ts";
export * from "./format/fixed_index.ts";
export * from "./format/key_file.ts";
export * from "./format/manifest.ts";
export * from "./format/snapshot_path.ts";
