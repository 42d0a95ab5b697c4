/**
 * `pbkfs pxar diff`: what differs between two archives, or an archive and a directory.
 *
 * @module
 */

import { Command, Option } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addDiffOptions, type ComparisonOptions } from "../../options/diff_options.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

interface DiffCommandOptions extends FormatOptions, PayloadOptions, ComparisonOptions {
  readonly args: readonly string[];
  readonly payloadB?: string;
}

/** The command. */
export const diffCommand: CommandModule<DiffCommandOptions> = {
  describe() {
    const command = new Command("diff")
      .description("Show what differs between two archives, or an archive and a directory")
      .argument("<a>", "archive or directory")
      .argument("<b>", "archive or directory");
    addPayloadOption(command)
      .addOption(new Option("--payload-b <file>", "payload stream of the second archive"));
    addDiffOptions(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "What changed between two archives", line: "pbkfs pxar diff old.pxar new.pxar" },
        {
          text: "Whether a directory is as it was",
          line: "pbkfs pxar diff home.pxar /home --ignore mtime",
        },
      ],
      exitStatus: {
        0: "Nothing differs.",
        1: "Something differs, and is on standard output; or failure, on standard error.",
        2: "Something could not be compared, and is on standard error; or wrong usage.",
      },
    });
  },

  async run(options, { terminal }) {
    const [left, right] = options.args;
    const { printDifferences } = await import("../../jobs/diff_job.ts");
    const { openAsTree } = await import("#src/usecases/archive/trees.ts");
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const inputs = [
      await archiveInput(left!, payloadOf(options)),
      await archiveInput(right!, options.payloadB),
    ] as const;
    return printDifferences(
      () => openAsTree(inputs[0]),
      () => openAsTree(inputs[1]),
      options,
      terminal,
    );
  },
};
