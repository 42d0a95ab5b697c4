/**
 * Mounts: a `FileSystem` (src/tree/file_system.ts) becomes a directory that any program can use.
 *
 * The main isolate calls {@link mountFileSystem}. It starts FUSE workers, threads that each have a
 * descriptor of the one mount, and keeps its own event loop free. A worker's module calls
 * {@link serveWorker} with a function that makes the worker's instance of the file system. All
 * instances share their state through SharedArrayBuffers.
 *
 * A request's way: `request_loop.ts` reads it; `fast_path.ts` (or, for rare ones, libfuse and
 * `callbacks.ts`) takes it apart; an operation calls the file system and writes the answer's body;
 * the loop sends it. Exceptions become errno answers (`errno.ts`) and log lines. A request that has
 * to wait for its source may be put off, and is done again from its beginning when a thread may
 * wait (`pending/wait_table.ts`). The serving process must not use its own mount: a request could
 * wait for itself (`directory_preloader.ts` knows when it may).
 *
 * @module
 */

export * from "./mount.ts";
export * from "./mount_holders.ts";
export * from "./mount_identity.ts";
export * from "./mount_point.ts";
export * from "./mount_table.ts";
export * from "./mount_users.ts";
export * from "./fuse_worker.ts";
export { treeFileSystem, type TreeFileSystemOptions } from "./tree_file_system.ts";
export type { MountStatistics, OperationStatistics } from "./statistics.ts";
export type {
  BorrowWorker,
  CommonStart,
  PoolListeners,
  PoolWorker,
  WorkerPool,
} from "./worker_pool.ts";
export type { WaitListeners, WaitReport } from "./pending/wait_guard.ts";
export type { WaitMemory } from "./pending/wait_table.ts";
export type { StartMessage } from "./worker_protocol.ts";
export type { PassthroughState } from "./passthrough.ts";
export type { DeviceBackingRegistry } from "./backing_registry.ts";
