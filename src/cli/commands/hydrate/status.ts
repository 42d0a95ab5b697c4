/**
 * `pbkfs hydrate status`: how much of the backup is in the diff directory of a mount.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { hydratedMountPath, printHydration, waitWithProgress } from "./hydration_output.ts";

interface StatusOptions extends FormatOptions {
  readonly mntPath?: string;
  readonly wait?: boolean;
}

/** The command. */
export const hydrateStatusCommand: CommandModule<StatusOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("status")
      .description("Show how much of the backup is in the diff directory of a mount")
      .option("-D, --mnt-path <path>", "mount point")
      .option("--wait", "return when everything is there")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "How far it is", line: "pbkfs hydrate status -D /mnt/pg" },
        {
          text: "Seconds left, for a script",
          line: "pbkfs hydrate status -D /mnt/pg --format json | jq .time_left_s",
        },
      ],
      exitStatus: { 1: "Failure; with --wait also: stopped, or files cannot be read." },
    });
  },

  async run(options, { terminal }) {
    const mountPath = hydratedMountPath(options);
    const { requestHydration } = await import(
      "#src/usecases/mounting/hydration/hydration_request.ts"
    );
    const report = options.wait === true
      ? await waitWithProgress(mountPath, terminal)
      : await requestHydration(mountPath);
    printHydration(report, options.format, terminal);
    return 0;
  },
};
