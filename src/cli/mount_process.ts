/**
 * The frame of a process that mounts: signals from the start, a report to whoever waits, the log to its end.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import { keepHeapSmall } from "#src/io/host_memory.ts";
import { logger } from "#src/log/logger.ts";
import { type CardFailure, OwnCard } from "./control/worker_card.ts";
import { ExitCode, exitCode } from "./exit_code.ts";
import { consoleReport, type MountReport, pipeReport } from "./mount_report.ts";
import { MountSignals } from "./mount_signals.ts";

const log = logger("mount");

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
 * @param isBackground report to the launcher over standard output instead of throwing
 * @returns the exit code
 * @throws a `Failure`, in the foreground
 */
export async function runMountProcess(
  mountPath: string,
  isBackground: boolean,
  makeSteps: (voices: MountVoices) => MountSteps,
): Promise<number> {
  const report = isBackground ? pipeReport : consoleReport;
  // First of all: whoever wants this process to end can find it from now on.
  const card = OwnCard.publish(mountPath);
  keepHeapSmall();
  const signals = new MountSignals();
  const steps = makeSteps({ report, signals, card });
  try {
    await steps.run();
    card.update({ state: "ended" });
    return ExitCode.SUCCESS;
  } catch (error) {
    log.error("mount failed", { error });
    card.update({ state: "failed", failure: describeFailure(error) });
    report.failed(error);
    if (!isBackground) throw error;
    return exitCode(error);
  } finally {
    signals.close();
    await steps.flushLog();
  }
}

function describeFailure(error: unknown): CardFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Failure)) return { code: "internal", message };
  const { code, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
