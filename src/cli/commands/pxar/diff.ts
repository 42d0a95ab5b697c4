/**
 * `pbkfs pxar diff`: what differs between two archives, or an archive and a directory.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, collect, payloadOf, type PayloadOptions } from "../../pxar/options.ts";

interface DiffCommandOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
  readonly payloadB?: string;
  readonly ignore?: readonly string[];
  /** False with `--no-contents`. */
  readonly contents: boolean;
}

/** The command. */
export const diffCommand: CommandModule<DiffCommandOptions> = {
  describe() {
    const command = new Command("diff")
      .description("Show what differs between two archives, or an archive and a directory")
      .argument("<a>", "archive or directory")
      .argument("<b>", "archive or directory");
    addPayloadOption(command)
      .addOption(new Option("--payload-b <file>", "payload stream of the second archive"))
      .option("--ignore <fields>", "do not compare mode, uid, gid, mtime, …; repeatable", collect)
      .option("--no-contents", "do not read files of equal size")
      .addOption(formatOption());
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
      },
    });
  },

  async run(options, { terminal }) {
    const [left, right] = options.args;
    const { diffTrees } = await import("#src/transfer/diff.ts");
    const { openReader } = await import("../../pxar/readers.ts");
    const { DifferenceOutput } = await import("../../pxar/difference_output.ts");
    const ignoredFields = await parseFields(options.ignore ?? []);
    using a = openReader(left!, payloadOf(options));
    using b = openReader(right!, options.payloadB);
    using output = new DifferenceOutput(terminal, options.format);
    const differences = diffTrees(a.reader, b.reader, {
      compareContents: options.contents,
      ignoredFields,
    });
    for (const difference of differences) output.print(difference);
    return output.count === 0 ? 0 : 1;
  },
};

async function parseFields(values: readonly string[]) {
  const { METADATA_FIELDS } = await import("#src/transfer/reader.ts");
  return new Set(
    values.flatMap((value) => value.split(",")).map((name) => {
      const field = METADATA_FIELDS.find((candidate) => candidate === name);
      if (field !== undefined) return field;
      throw new UsageError(
        `Cannot use "${name}" for --ignore: allowed choices are ${METADATA_FIELDS.join(", ")}`,
        { option: "--ignore" },
      );
    }),
  );
}
