/**
 * The frame of a process that mounts: signals and a card from the start, a report to whoever waits,
 * the log to its end.
 *
 * @module
 */

import { toRecord } from "#src/errors.ts";
import { keepHeapSmall } from "#ffi/libc/memory.ts";
import { logger } from "#src/log/logger.ts";
import { OwnCard } from "./control/worker_card.ts";
import { MountSignals } from "./mount_signals.ts";

const log = logger("mount");

/** Told how far a mount is; that it has failed is thrown. */
export interface MountReport {
  /** All checks passed; `logFd` receives what the runtime itself may have to say from now on. */
  started?(logFd: number | undefined): void;
  /** The mount answers. */
  mounted?(): void;
}

/** The steps of one mount. */
export interface MountSteps {
  /** Mounts and serves until the mount has ended. */
  run(): Promise<void>;
  /** Waits until the log has left this process. */
  flushLog(): Promise<void>;
}

/** What a mounting process tells others by. */
export interface MountVoices {
  readonly report: MountReport;
  readonly signals: MountSignals;
  readonly card: OwnCard;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param mountPath absolute path
 * @throws {Failure}
 */
export async function runMountProcess(
  mountPath: string,
  report: MountReport,
  makeSteps: (voices: MountVoices) => MountSteps,
): Promise<void> {
  // First of all: whoever wants this process to end can find it from now on.
  const card = OwnCard.publish(mountPath);
  keepHeapSmall();
  const signals = new MountSignals();
  const steps = makeSteps({ report, signals, card });
  try {
    await steps.run();
    card.update({ state: "ended" });
  } catch (error) {
    log.error("mount failed", { error });
    const { code, message, hint } = toRecord(error);
    card.update({ state: "failed", failure: { code, message, hint } });
    throw error;
  } finally {
    signals.close();
    await steps.flushLog();
  }
}
