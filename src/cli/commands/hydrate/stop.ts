/**
 * `pbkfs hydrate stop`: leaves what is not in the diff directory yet where it is.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { hydratedMountPath, printHydration } from "./hydration_output.ts";

interface StopOptions extends FormatOptions {
  readonly mntPath?: string;
}

/** The command. */
export const hydrateStopCommand: CommandModule<StopOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("stop")
      .description("Stop hydrating; what is in the diff directory stays there")
      .option("-D, --mnt-path <path>", "mount point")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [{ text: "Stop", line: "pbkfs hydrate stop -D /mnt/pg" }],
    });
  },

  async run(options, { terminal }) {
    const mountPath = hydratedMountPath(options);
    const { requestHydration } = await import(
      "#src/usecases/mounting/hydration/hydration_request.ts"
    );
    const report = await requestHydration(mountPath, { kind: "stop" });
    printHydration(report, options.format, terminal);
    return 0;
  },
};
