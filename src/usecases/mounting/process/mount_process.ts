/**
 * The frame of a process that mounts: signals and a card from the start, a report to whoever waits,
 * the log to its end.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { toRecord } from "#src/errors.ts";
import { keepHeapSmall } from "#ffi/libc/memory.ts";
import { logger } from "#src/log/logger.ts";
import { OwnCard } from "../control/worker_card.ts";
import { OwnOrders } from "../control/worker_orders.ts";
import type { MountReport } from "../mount_frame.ts";
import { MountLife } from "../mount_life.ts";
import type { MountRequest } from "../mount_request.ts";
import type { SourceToMount } from "../source_to_mount.ts";
import { releaseMemoryWhenIdle } from "./idle_memory.ts";
import { MountSignals } from "./mount_signals.ts";

const log = logger("mount");

/**
 * Mounts and serves until the mount has ended.
 *
 * @param source stays open as long as the mount
 * @param report is told how far it is
 * @throws {Failure}
 */
export async function runMount(
  request: MountRequest,
  source: SourceToMount,
  report: MountReport,
): Promise<void> {
  // First of all: whoever wants this process to end can find it from now on.
  const card = OwnCard.publish(request.mountPath);
  keepHeapSmall();
  host.raiseOpenFileLimit();
  const orders = OwnOrders.publish();
  const signals = new MountSignals(orders);
  const life = new MountLife(request, source, {
    report: {
      started(logFd) {
        host.changeDirectory("/");
        report.started?.(logFd);
      },
      mounted(mounted) {
        report.mounted?.(mounted);
        releaseMemoryWhenIdle(() => mounted.statistics.requestCount);
      },
    },
    orders: signals,
    news: {
      update: (change) => card.update(change),
      showStatistics: (report) => card.showStatistics(report, orders.lastId),
    },
  });
  try {
    await life.run();
    card.update({ state: "ended" });
  } catch (error) {
    log.error("mount failed", { error });
    const { code, message, hint } = toRecord(error);
    card.update({ state: "failed", failure: { code, message, hint } });
    throw error;
  } finally {
    signals.close();
    await life.flushLog();
  }
}
