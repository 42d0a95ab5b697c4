/**
 * `pbkfs pxar cat`: contents of files in an archive.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

interface CatOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
}

/** The command. */
export const catCommand: CommandModule<CatOptions> = {
  describe() {
    const command = new Command("cat")
      .description("Write the contents of files in an archive to standard output")
      .argument("<archive>", "archive; - is standard input")
      .argument("<path...>", "regular files, or hard links to them");
    addPayloadOption(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [{ text: "Read one file", line: "pbkfs pxar cat home.pxar /alice/.profile" }],
      exitStatus: { 1: "Failure: no such file, or a damaged archive." },
    });
  },

  async run(options, { terminal }) {
    const [archive, ...paths] = options.args;
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { readFiles } = await import("#src/usecases/archive/contents.ts");
    const request = { archive: await archiveInput(archive!, payloadOf(options)), paths };
    readFiles(request, (bytes) => terminal.outBytes(bytes));
    return 0;
  },
};
