/**
 * `pbkfs pxar find`: entries by name, type, size and time.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addFindOptions, type FindOptions } from "../../options/find_options.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

interface FindCommandOptions extends FormatOptions, PayloadOptions, FindOptions {
  readonly args: readonly string[];
}

/** The command. */
export const findCommand: CommandModule<FindCommandOptions> = {
  describe() {
    const command = new Command("find")
      .description("Find entries of an archive by name, type, size and time")
      .argument("<archive>", "archive")
      .argument("[path]", "where to look; default is the root directory");
    addFindOptions(addPayloadOption(command)).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Pictures above 10 MiB", line: "pbkfs pxar find home.pxar -n '*.jpg' -s +10M" },
        { text: "What changed in 2025", line: "pbkfs pxar find home.pxar -t f --newer 2025-01-01" },
      ],
    });
  },

  async run(options, { terminal }) {
    const [archive, path = "/"] = options.args;
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { printFound } = await import("../../jobs/find_job.ts");
    printFound(await archiveInput(archive!, payloadOf(options)), path, options, terminal);
    return 0;
  },
};
