/**
 * The time between mount and end: answers signals until the mount is gone.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { logger } from "#src/log/logger.ts";
import { type MountedFileSystem, unmountPath } from "#src/mount/mod.ts";
import { replaceTextFile } from "#src/overlay/durable_file.ts";
import { ExitCode } from "./exit_code.ts";
import type { MountSignals } from "./mount_signals.ts";
import type { StatisticsCollector } from "./mount_statistics.ts";
import { STAT_FILE_NAME } from "./statistics_request.ts";

/** What still uses a mount for a moment after a server has stopped is given this time to go. */
const BUSY_TIMEOUT_MS = 2000;
const BUSY_PAUSE_MS = 100;

const log = logger("mount");

/** A live mount and what reports on it. */
export interface LiveParts {
  readonly mounted: MountedFileSystem;
  readonly signals: MountSignals;
  /** Undefined for a mount without a directory of its worker. */
  readonly statistics?: LiveStatistics;
}

/** Where a mount's statistics come from and go to. */
export interface LiveStatistics {
  readonly collector: StatisticsCollector;
  /** Path of the worker's directory. */
  readonly controlPath: string;
}

/**
 * Serves until the mount has ended: by a signal to this process or an unmount from outside.
 *
 * @throws {ProtocolError} when a FUSE worker failed
 */
export async function serveUntilEnd(parts: LiveParts): Promise<void> {
  const { statistics } = parts;
  if (statistics !== undefined) {
    writeStatistics(statistics);
    parts.signals.onStatistics((reset) => {
      writeStatistics(statistics);
      if (reset) statistics.collector.reset();
    });
  }
  parts.signals.onStop((isRepeated) => {
    if (isRepeated) endAtOnce(parts.mounted);
    else void stop(parts);
  });
  await parts.mounted.closed;
}

/** The file is replaced as a whole: whoever waits for it sees a new file, never half of one. */
function writeStatistics({ collector, controlPath }: LiveStatistics): void {
  try {
    const text = JSON.stringify(collector.collect(), null, 2) + "\n";
    replaceTextFile(controlPath, STAT_FILE_NAME, text, { mode: 0o644, durable: false });
  } catch (error) {
    log.error("statistics not written", { error });
  }
}

/** Unmounts; a mount in use stays, and the next signal tries again. */
async function stop({ mounted, signals }: LiveParts): Promise<void> {
  log.info("unmounting", { mnt: mounted.mountPoint });
  const deadline = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      await mounted.unmount({ whenBusy: "refuse" });
      return;
    } catch (error) {
      if (!isBusy(error)) {
        // Mounted no more, or workers that do not end: `closed` tells, or the next signal.
        log.warn("unmount failed", { error });
        break;
      }
      if (performance.now() > deadline) {
        log.warn("target is busy, still mounted", { mnt: mounted.mountPoint });
        break;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
  }
  signals.stopHandled();
}

function isBusy(error: unknown): boolean {
  return error instanceof StateError && error.code === "busy";
}

/** The user insists: what is not durable yet is lost, as when the process is killed. */
function endAtOnce(mounted: MountedFileSystem): never {
  log.warn("second signal, ending at once", { mnt: mounted.mountPoint });
  try {
    unmountPath(mounted.mountPoint, { lazy: true });
  } catch (error) {
    log.warn("unmount failed", { error });
  }
  Deno.exit(ExitCode.FAILURE);
}
