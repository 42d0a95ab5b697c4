/**
 * What a mount's log says of requests that wait for their source.
 *
 * @module
 */

import { logger } from "#src/log/logger.ts";
import type { PoolListeners } from "#src/mount/worker_pool.ts";

const log = logger("mount");

/**
 * Writes to the log that all threads wait, that they do no more, and which requests were given up.
 */
export const WAIT_LOG: Pick<PoolListeners, "onWaiting" | "onWaitOver" | "onTimeout"> = {
  onWaiting: ({ requests, operations, files }) =>
    log.warn("requests wait for their source", { requests, ...operations, files }),
  onWaitOver: (waitedMs) => log.info("source answers again", { after_s: seconds(waitedMs) }),
  onTimeout: (operation, count) =>
    log.error("source did not answer in time: EIO", { request: operation, count }),
};

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
