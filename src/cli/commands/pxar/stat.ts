/**
 * `pbkfs pxar stat`: all that an archive says of an entry.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

interface StatOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
}

/** The command. */
export const pxarStatCommand: CommandModule<StatOptions> = {
  describe() {
    const command = new Command("stat")
      .description("Show all that an archive says of an entry")
      .argument("<archive>", "archive")
      .argument("[path...]", "entries; default is the root directory");
    addPayloadOption(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [{ text: "One entry", line: "pbkfs pxar stat home.pxar /alice" }],
      exitStatus: { 1: "Failure: no such entry, or a damaged archive." },
    });
  },

  async run(options, { terminal }) {
    const [archive, ...paths] = options.args;
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { describeEntries } = await import("#src/usecases/archive/description.ts");
    const { descriptionToJson } = await import("../../output/entry_json.ts");
    const entries = describeEntries({
      archive: await archiveInput(archive!, payloadOf(options)),
      paths: paths.length === 0 ? ["/"] : paths,
    });
    if (options.format === "json") {
      terminal.out(JSON.stringify(entries.map(descriptionToJson), null, 2) + "\n");
      return 0;
    }
    const { formatDescription } = await import("../../output/description_text.ts");
    terminal.out(entries.map(formatDescription).join("\n"));
    return 0;
  },
};
