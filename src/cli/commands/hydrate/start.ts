/**
 * `pbkfs hydrate start`: lets a mount hydrate its diff directory, or at another rate.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { parseByteCount } from "../../options/byte_count.ts";
import { hydratedMountPath, printHydration, waitWithProgress } from "./hydration_output.ts";

interface StartOptions extends FormatOptions {
  readonly mntPath?: string;
  readonly rate?: string;
  readonly wait?: boolean;
}

/** The command. */
export const hydrateStartCommand: CommandModule<StartOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("start")
      .description("Let a mount hydrate its diff directory, from now on or at another rate")
      .option("-D, --mnt-path <path>", "mount point")
      .option("--rate <bytes>", "bytes a second, such as 200M; default: as many as it can")
      .option("--wait", "return when everything is in the diff directory")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Leave the disk to the server", line: "pbkfs hydrate start -D /mnt/pg --rate 50M" },
        { text: "Be done soon", line: "pbkfs hydrate start -D /mnt/pg --wait" },
      ],
      exitStatus: {
        1: "Failure; with --wait also: stopped, or files of the backup cannot be read.",
      },
    });
  },

  async run(options, { terminal }) {
    const mountPath = hydratedMountPath(options);
    const { rate } = options;
    const rateLimit = rate === undefined ? undefined : parseByteCount(rate, "--rate");
    const { requestHydration } = await import(
      "#src/usecases/mounting/hydration/hydration_request.ts"
    );
    const started = await requestHydration(mountPath, { kind: "start", rateLimit });
    const report = options.wait === true ? await waitWithProgress(mountPath, terminal) : started;
    printHydration(report, options.format, terminal);
    return 0;
  },
};
