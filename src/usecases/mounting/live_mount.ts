/**
 * The time between mount and end: obeys orders until the mount is gone.
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import { StateError } from "#src/errors.ts";
import { logger } from "#src/log/logger.ts";
import type { MountedFileSystem } from "#src/mount/mount.ts";
import { replaceTextFile } from "#src/overlay/durable_file.ts";
import { STAT_FILE_NAME } from "./control/worker_files.ts";
import type { MountFrame, MountNews } from "./mount_frame.ts";
import type { StatisticsCollector } from "./mount_statistics.ts";

/** What still uses a mount for a moment after a server has stopped is given this time to go. */
const BUSY_TIMEOUT_MS = 2000;
const BUSY_PAUSE_MS = 100;
/** How often it is tried again to end a mount that is in use, or mounted elsewhere too. */
const RETRY_PAUSE_MS = 500;

const log = logger("mount");

/** A live mount and what reports on it. */
export interface LiveParts extends Pick<MountFrame, "orders" | "news"> {
  readonly mounted: MountedFileSystem;
  readonly statistics: LiveStatistics;
}

/** Where a mount's statistics come from and go to. */
export interface LiveStatistics {
  readonly collector: StatisticsCollector;
  /** Path of the worker's directory. Undefined where it has none: its card alone tells then. */
  readonly controlPath?: string | undefined;
}

/**
 * Serves until the mount has ended: by an order, or an unmount from outside. A mount
 * that is in use when the order comes ends when it no longer is.
 *
 * @throws {ProtocolError} when a FUSE worker failed
 */
export async function serveUntilEnd(parts: LiveParts): Promise<void> {
  const { statistics, news, orders, mounted } = parts;
  const writer = new StatisticsWriter(statistics, news);
  writer.writeFile();
  orders.onStatistics((reset) => {
    writer.answer();
    if (reset) statistics.collector.reset();
  });
  const stopped = Promise.withResolvers<void>();
  let isStopping = false;
  orders.onStop((isRepeated) => {
    if (isRepeated) endAtOnce(mounted);
    if (isStopping) setTimeout(() => orders.stopHandled(), BUSY_TIMEOUT_MS);
    else void stop(parts).then(stopped.resolve, stopped.reject);
    isStopping = true;
  });
  await Promise.race([mounted.closed, stopped.promise]);
}

/** Gives statistics to whoever asks. */
class StatisticsWriter {
  readonly #statistics: LiveStatistics;
  readonly #news: MountNews;
  #hasFailed = false;

  constructor(statistics: LiveStatistics, news: MountNews) {
    this.#statistics = statistics;
    this.#news = news;
  }

  answer(): void {
    this.#news.showStatistics(this.#statistics.collector.collect());
    this.writeFile();
  }

  /** The file is replaced as a whole: whoever waits for it sees a new file, never half of one. */
  writeFile(): void {
    const { collector, controlPath } = this.#statistics;
    if (controlPath === undefined) return;
    try {
      const text = JSON.stringify(collector.collect(), null, 2) + "\n";
      replaceTextFile(controlPath, STAT_FILE_NAME, text, { mode: 0o644, durable: false });
      this.#hasFailed = false;
    } catch (error) {
      // Once: a full disk stays full, and the log may lie on it too.
      if (!this.#hasFailed) log.error("statistics not written", { error });
      this.#hasFailed = true;
    }
  }
}

/**
 * Unmounts as soon as nobody uses the mount.
 *
 * @returns when the mount has ended; or this process is to end, and with it what is still done
 *   through open files
 */
async function stop({ mounted, orders }: LiveParts): Promise<void> {
  const { mountPoint } = mounted;
  log.info("unmounting", { mnt: mountPoint });
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  let isToldThatBusy = false;
  while (!leaveMountPoint(mounted)) {
    if (performance.now() > deadline && !isToldThatBusy) {
      log.warn("target is busy, still mounted until it is free", { mnt: mountPoint });
      isToldThatBusy = true;
      orders.stopHandled();
    }
    await pause(isToldThatBusy ? RETRY_PAUSE_MS : BUSY_PAUSE_MS);
  }
  let isToldThatHeld = false;
  while (!await mounted.closesWithin(RETRY_PAUSE_MS)) {
    const holders = mounted.holders();
    if (holders.length === 0) return await mounted.end();
    if (!isToldThatHeld) {
      log.warn("still mounted elsewhere, served until it is unmounted there", { holders });
      isToldThatHeld = true;
      orders.stopHandled();
    }
  }
}

/** @returns false when it is in use */
function leaveMountPoint(mounted: MountedFileSystem): boolean {
  try {
    mounted.leaveMountPoint();
  } catch (error) {
    if (error instanceof StateError && error.code === "busy") return false;
    log.warn("unmount failed", { error });
  }
  return true;
}

/** The user insists: what is not durable yet is lost, as when the process is killed. */
function endAtOnce(mounted: MountedFileSystem): never {
  log.warn("second signal, ending at once", { mnt: mounted.mountPoint });
  try {
    mounted.leaveMountPoint({ lazy: true });
  } catch (error) {
    log.warn("unmount failed", { error });
  }
  Deno.exit(1);
}
