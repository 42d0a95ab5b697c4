/**
 * `pbkfs info`: what a source is.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import {
  addSourceOptions,
  SOURCE_ARGUMENT,
  SOURCE_ENVIRONMENT,
  type SourceOptions,
} from "../sources/source_options.ts";
import { usesOfSources } from "../sources/source_uses.ts";

interface InfoOptions extends SourceOptions, FormatOptions {
  readonly args: readonly string[];
}

/** The command. */
export const infoCommand: CommandModule<InfoOptions> = {
  uses: usesOfSources(0),

  describe() {
    const command = new Command("info")
      .description("Say what a source is: kind, time, size, PostgreSQL, whether it can be mounted")
      .argument("<source>", SOURCE_ARGUMENT);
    return addHelpNotes(addSourceOptions(command).addOption(formatOption()), {
      examples: [
        { text: "The last backup of an instance", line: "pbkfs info /backups#main/latest" },
        {
          text: "An archive of a snapshot on a server",
          line: "pbkfs info pbs://me@pbs@backup.example/main#host/db1/latest/root.pxar",
        },
      ],
      environment: SOURCE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const { openCommandSource } = await import("../sources/open_source.ts");
    using source = await openCommandSource(options.args[0]!, options, context);
    if (options.format === "json") {
      context.terminal.out(JSON.stringify(source.summary, null, 2) + "\n");
    } else {
      const { formatSummary } = await import("../output/source_text.ts");
      context.terminal.out(formatSummary(source.summary));
    }
    return 0;
  },
};
