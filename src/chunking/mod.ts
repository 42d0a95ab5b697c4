/**
 * Streams into chunks: cut by content as Proxmox Backup does, or in fixed sizes, and handled by
 * several threads.
 *
 * A {@link ChunkPipeline} cuts any number of streams and gives every chunk to a
 * {@link ChunkHandler}, which names and keeps it. Where there are workers, their module calls
 * {@link serveChunkWorker}; each makes a handler of its own.
 *
 * @example
 * ```ts
 * import { createHash } from "node:crypto";
 * import { ChunkPipeline, digestOf } from "@pbkfs/pbkfs/chunking";
 *
 * const pipeline = new ChunkPipeline({
 *   handler: {
 *     handle: ({ bytes }, start, size) => ({
 *       digest: digestOf(createHash("sha256").update(bytes.subarray(start, start + size)).digest()),
 *       storedSize: size,
 *       isNew: true,
 *     }),
 *   },
 * });
 * const sizes: number[] = [];
 * const stream = pipeline.openStream({ kind: "dynamic", averageSize: 4096 }, (chunk) => {
 *   sizes.push(chunk.size);
 * });
 * stream.write(new Uint8Array(20_000));
 * stream.finish();
 * pipeline.finish();
 * if (sizes.join() !== "16384,3616") throw new Error(sizes.join());
 * ```
 *
 * @module
 */

export * from "./chunk_handler.ts";
export * from "./chunk_stream.ts";
export * from "./chunk_worker.ts";
export * from "./pipeline.ts";
export * from "./thread_pool.ts";
export type { ChunkThread, ChunkWorkers } from "./worker_threads.ts";
export type { SpawnThread, Thread } from "#src/threads/thread.ts";
export { type ChunkDigest, digestBytes, digestOf, parseDigest } from "#src/bytes/chunk_digest.ts";
