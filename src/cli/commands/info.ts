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
      .description(
        "Say what a source is: kind, time, size, PostgreSQL, whether it can be mounted; of a " +
          "catalog or datastore, what there is",
      )
      .argument("<source>", SOURCE_ARGUMENT);
    return addHelpNotes(addSourceOptions(command).addOption(formatOption()), {
      examples: [
        { text: "All backups of a catalog", line: "pbkfs info /backups" },
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
    const [name] = options.args;
    const { terminal } = context;
    const { listCommandSources, openCommandSource } = await import("../sources/open_source.ts");
    const { formatSummaries, formatSummary } = await import("../output/source_text.ts");
    const print = (value: unknown, text: () => string) =>
      terminal.out(options.format === "json" ? `${JSON.stringify(value, null, 2)}\n` : text());
    const list = await listCommandSources(name!, options, context);
    if (list !== undefined) {
      print(list, () => formatSummaries(list, terminal.columns));
      return 0;
    }
    using source = await openCommandSource(name!, options, context);
    const { summary } = source;
    print(summary, () => formatSummary(summary));
    return 0;
  },
};
