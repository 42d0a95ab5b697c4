/**
 * What the commands about hydration have in common: the mount, and how far it is.
 *
 * @module
 */

import type { HydrationReport } from "#src/usecases/mounting/hydration/hydration_report.ts";
import { required } from "../../command.ts";
import type { OutputFormat } from "../../exit_code.ts";
import { formatHydration } from "../../output/hydration_text.ts";
import { StatusLine } from "../../terminal/status_line.ts";
import type { Terminal } from "../../terminal/terminal.ts";

/** The mount that is meant. @throws {UsageError} when none is given */
export function hydratedMountPath({ mntPath }: { readonly mntPath?: string }): string {
  return required(mntPath, "-D/--mnt-path", "Give the mount point");
}

/** Prints how far it is. */
export function printHydration(
  report: HydrationReport,
  format: OutputFormat,
  terminal: Terminal,
): void {
  terminal.out(
    format === "json" ? JSON.stringify(report, null, 2) + "\n" : `${formatHydration(report)}\n`,
  );
}

/** Waits until everything is in the diff directory, and shows how far it is meanwhile. */
export async function waitWithProgress(
  mountPath: string,
  terminal: Terminal,
): Promise<HydrationReport> {
  const { waitForHydration } = await import(
    "#src/usecases/mounting/hydration/hydration_request.ts"
  );
  using line = new StatusLine(terminal, -Infinity);
  return await waitForHydration(mountPath, (report) => line.show(() => formatHydration(report)));
}
