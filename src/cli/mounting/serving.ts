/**
 * How a command serves a mount itself: in the foreground for a person, in the background for its
 * launcher.
 *
 * @module
 */

import type { MountReport } from "#src/usecases/mounting/mount_frame.ts";
import type { MountRequest } from "#src/usecases/mounting/mount_request.ts";
import type { SourceToMount } from "#src/usecases/mounting/source_to_mount.ts";
import { ExitCode, exitCode } from "../exit_code.ts";

/** Options of commands that count for the process that serves. */
export interface ServingOptions {
  /** Set in the background: the launcher gets reports on standard output, of a failure too. */
  readonly handshake?: boolean;
  readonly owner?: string;
}

/**
 * Serves until the mount has ended.
 *
 * @param sourceOf what the mount shows
 * @returns the exit code
 * @throws what mounting throws, in the foreground
 */
export async function serveMount<Request extends MountRequest>(
  request: Request,
  { handshake, owner }: ServingOptions,
  sourceOf: (request: Request) => Promise<SourceToMount>,
): Promise<number> {
  const serve = async (report: MountReport) => {
    const { runMount } = await import("#src/usecases/mounting/process/mount_process.ts");
    const { withOwner } = await import("../options/owner.ts");
    const owned = withOwner(request, owner);
    await runMount(owned, await sourceOf(owned), report);
  };
  if (handshake !== true) {
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
