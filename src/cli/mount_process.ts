/**
 * The frame of a process that mounts: signals from the start, a report to whoever waits, the log to its end.
 *
 * @module
 */

import { logger } from "#src/log/logger.ts";
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

/**
 * Mounts and serves until the mount has ended.
 *
 * @param isBackground report to the launcher over standard output instead of throwing
 * @returns the exit code
 * @throws a `Failure`, in the foreground
 */
export async function runMountProcess(
  isBackground: boolean,
  makeSteps: (report: MountReport, signals: MountSignals) => MountSteps,
): Promise<number> {
  const report = isBackground ? pipeReport : consoleReport;
  const signals = new MountSignals();
  const steps = makeSteps(report, signals);
  try {
    await steps.run();
    return ExitCode.SUCCESS;
  } catch (error) {
    log.error("mount failed", { error });
    report.failed(error);
    if (!isBackground) throw error;
    return exitCode(error);
  } finally {
    signals.close();
    await steps.flushLog();
  }
}
