/**
 * What a mount lives in: a process of its own (`process/mount_process.ts`), or a thread of a
 * program that uses the library (`thread/mount_thread.ts`).
 *
 * @module
 */

import type { MountedFileSystem } from "#src/mount/mount.ts";
import type { BorrowWorker } from "#src/mount/worker_pool.ts";
import type { CardChange } from "./control/worker_card.ts";
import type { HydrationOrder } from "./hydration/mount_hydration.ts";

/** Told how far a mount is; that it has failed is thrown. */
export interface MountReport {
  /** All checks passed; `logFd` receives what the runtime itself may have to say from now on. */
  started?(logFd: number | undefined): void;
  /** The mount answers. */
  mounted?(mounted: MountedFileSystem): void;
}

/** What a mount is told to do from outside of the kernel. */
export interface MountOrders {
  /**
   * `handler` is told to end the mount; `isRepeated` when an earlier order has not been dealt with.
   */
  onStop(handler: (isRepeated: boolean) => void): void;
  /** The last order to end has been dealt with. */
  stopHandled(): void;
  /** `handler` is told what is wanted of the hydration. */
  onHydration(handler: (order: HydrationOrder) => void): void;
  /** `handler` is asked for statistics, and perhaps to count anew. */
  onStatistics(handler: (reset: boolean) => void): void;
}

/** What a mount says of itself to other processes. */
export interface MountNews {
  /** Says what has changed. */
  update(change: CardChange): void;
  /** Answers a question for statistics. */
  showStatistics(report: unknown): void;
}

/** See above. */
export interface MountFrame {
  readonly report: MountReport;
  readonly orders: MountOrders;
  readonly news: MountNews;
  /** Gets a thread that serves, where the mount is not to start it by itself. */
  readonly borrowWorker?: BorrowWorker;
}
