/**
 * `pbkfs pxar extract`: an archive, or parts of it, into the file system.
 *
 * @module
 */

import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import {
  addExtractOptions,
  type ExtractOptions,
  extractRequest,
} from "../../options/extract_options.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

interface ExtractCommandOptions extends FormatOptions, PayloadOptions, ExtractOptions {
  readonly args: readonly string[];
  readonly output?: string;
}

/** The command. */
export const extractCommand: CommandModule<ExtractCommandOptions> = {
  uses: ["read", "write", "ffi"],

  describe() {
    const command = new Command("extract").alias("x")
      .description("Restore an archive, or parts of it")
      .usage("[options] <archive> [target]\n       extract [options] <archive> <path...> -o <out>")
      .argument("<archive>", "archive; - is standard input")
      .argument(
        "[target or path...]",
        "directory to restore to, default is .; with -o: what to restore",
      );
    addPayloadOption(command)
      .option("-o, --output <out>", "where one file or directory goes; - is standard output");
    addExtractOptions(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Restore everything", line: "pbkfs pxar extract home.pxar /restored" },
        {
          text: "Restore what matches",
          line: "pbkfs pxar extract home.pxar /restored --pattern '/alice/**/*.txt'",
        },
        { text: "One file", line: "pbkfs pxar extract home.pxar /alice/notes.txt -o notes.txt" },
        { text: "One directory", line: "pbkfs pxar x home.pxar /alice/mail -o mail" },
        { text: "From a pipe", line: "zstdcat home.pxar.zst | pbkfs pxar extract - /restored" },
      ],
      exitStatus: {
        1: "Failure, or entries could not be restored completely; the others are.",
      },
    });
  },

  run(options, context) {
    return options.output === undefined
      ? extractAll(options, context)
      : extractChosen(options, options.output, context);
  },
};

async function extractAll(
  options: ExtractCommandOptions,
  { terminal }: CommandContext,
): Promise<number> {
  const [archive, target = ".", ...rest] = options.args;
  if (rest.length > 0) {
    throw new UsageError("Cannot extract to several targets", {
      option: "target",
      hint: "To restore parts of the archive use --pattern, or -o with their paths",
    });
  }
  const input = await chosenInput(archive!, options);
  const { extractToTarget } = await import("#src/usecases/archive/extraction.ts");
  const { reportExtraction } = await import("../../output/extract_output.ts");
  reportExtraction(
    { format: options.format, isVerbose: options.verbose === true },
    terminal,
    (callbacks) => extractToTarget(extractRequest(input, options), target, callbacks),
  );
  return 0;
}

async function extractChosen(
  options: ExtractCommandOptions,
  output: string,
  { terminal }: CommandContext,
): Promise<number> {
  const [archive, ...paths] = options.args;
  checkChosen(paths, options);
  const input = await chosenInput(archive!, options);
  if (output === STANDARD_STREAM) {
    const { readArchivedFiles } = await import("#src/usecases/archive/contents.ts");
    readArchivedFiles(input, paths, (bytes) => terminal.outBytes(bytes));
    return 0;
  }
  const { extractPathsTo } = await import("#src/usecases/archive/extraction.ts");
  const { reportExtraction } = await import("../../output/extract_output.ts");
  reportExtraction(
    { format: options.format, isVerbose: options.verbose === true },
    terminal,
    (callbacks) => extractPathsTo(extractRequest(input, options), paths, output, callbacks),
  );
  return 0;
}

function checkChosen(paths: readonly string[], options: ExtractCommandOptions): void {
  if (paths.length === 0) {
    throw new UsageError("-o/--output needs the path of what to extract", {
      option: "path",
      hint: "To restore the whole archive give the target without -o",
    });
  }
  if (options.pattern !== undefined || options.filesFrom !== undefined) {
    throw new UsageError("Cannot use patterns together with -o/--output", { option: "--pattern" });
  }
}

async function chosenInput(archive: string, options: PayloadOptions) {
  const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
  return await archiveInput(archive, payloadOf(options));
}
