/**
 * How a command serves a mount itself: in the foreground for a person, in the background for its
 * launcher.
 *
 * @module
 */

import type { MountReport } from "#src/usecases/mounting/mount_frame.ts";
import { ExitCode, exitCode } from "../exit_code.ts";

/**
 * Serves until the mount has ended.
 *
 * @param isBackground report to the launcher over standard output, a failure too, instead of
 *   throwing
 * @returns the exit code
 * @throws what `serve` throws, in the foreground
 */
export async function serveMount(
  isBackground: boolean,
  serve: (report: MountReport) => Promise<void>,
): Promise<number> {
  if (!isBackground) {
    await serve({});
    return ExitCode.SUCCESS;
  }
  const { pipeReport } = await import("./pipe_report.ts");
  try {
    await serve(pipeReport);
    return ExitCode.SUCCESS;
  } catch (error) {
    pipeReport.failed(error);
    return exitCode(error);
  }
}
