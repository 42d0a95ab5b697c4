/**
 * `extract`: a tree, or parts of it, into the file system.
 *
 * @module
 */

import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { ExtractCallbacks } from "#src/usecases/archive/extraction.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import type { CommandContext, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addExtractOptions,
  type ExtractOptions,
  extractRequest,
} from "../../options/extract_options.ts";
import type { EntryOptions, TreeOperands } from "./operands.ts";

interface ExtractCommandOptions extends ExtractOptions {
  readonly output?: string;
}

/** The verb for a group. */
export function extractCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & ExtractCommandOptions> {
  return {
    uses: [...operands.uses, "write"],

    describe() {
      const { placeholder } = operands;
      const command = new Command("extract").alias("x")
        .description(`Restore ${operands.noun}, or parts of it`)
        .usage(
          `[options] ${placeholder} [target]\n       ` +
            `extract [options] ${placeholder} <path...> -o <out>`,
        );
      operands.addArguments(command, true)
        .argument(
          "[target or path...]",
          "directory to restore to, default is .; with -o: what to restore",
        )
        .option("-o, --output <out>", "where one file or directory goes; - is standard output");
      return addHelpNotes(operands.addOptions(addExtractOptions(command)), {
        examples: [
          { text: "Restore everything", line: operands.line("extract", "/restored") },
          {
            text: "Restore what matches",
            line: operands.line("extract", "/restored --pattern '/alice/**/*.txt'"),
          },
          { text: "One file", line: operands.line("extract", "/alice/notes.txt -o notes.txt") },
          { text: "One directory", line: operands.line("x", "/alice/mail -o mail") },
          ...operands.examples?.["extract"] ?? [],
        ],
        environment: operands.environment,
        exitStatus: {
          1: "Failure, or entries could not be restored completely; the others are.",
        },
      });
    },

    async run(options, context) {
      const operandsLeft = options.args.slice(operands.count);
      const { output } = options;
      if (output === undefined) await extractAll(operands, operandsLeft, options, context);
      else await extractChosen(operands, operandsLeft, output, options, context);
      return 0;
    },
  };
}

async function extractAll<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
  [target = ".", ...rest]: readonly string[],
  options: Options & ExtractCommandOptions,
  context: CommandContext,
): Promise<void> {
  if (rest.length > 0) {
    throw new UsageError("Cannot extract to several targets", {
      option: "target",
      hint: "To restore parts of it use --pattern, or -o with their paths",
    });
  }
  const { extractToTarget } = await import("#src/usecases/archive/extraction.ts");
  await operands.use(options, context, (input) => {
    const request = extractRequest(input, options);
    return reportTo(operands, options, context, (to) => extractToTarget(request, target, to));
  });
}

async function extractChosen<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
  paths: readonly string[],
  output: string,
  options: Options & ExtractCommandOptions,
  context: CommandContext,
): Promise<void> {
  checkChosen(paths, options);
  if (output === STANDARD_STREAM) {
    const { readFiles } = await import("#src/usecases/archive/contents.ts");
    const write = (bytes: Uint8Array) => context.terminal.outBytes(bytes);
    return await operands.use(options, context, (input) => readFiles(input, paths, write));
  }
  const { extractPathsTo } = await import("#src/usecases/archive/extraction.ts");
  await operands.use(options, context, (input) => {
    const request = extractRequest(input, options);
    return reportTo(operands, options, context, (to) => extractPathsTo(request, paths, output, to));
  });
}

/** Runs a restore with its progress and problems. @throws what `reportExtraction()` throws */
export async function reportTo<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
  options: Options & ExtractOptions,
  context: CommandContext,
  extract: (callbacks: ExtractCallbacks) => ExtractReport,
): Promise<void> {
  const { reportExtraction } = await import("../../output/extract_output.ts");
  const format = operands.output(options, context).isJson ? "json" : "text";
  reportExtraction({ format, isVerbose: options.verbose === true }, context.terminal, extract);
}

function checkChosen(paths: readonly string[], options: ExtractOptions): void {
  if (paths.length === 0) {
    throw new UsageError("-o/--output needs the path of what to extract", {
      option: "path",
      hint: "To restore everything give the target without -o",
    });
  }
  if (options.pattern !== undefined || options.filesFrom !== undefined) {
    throw new UsageError("Cannot use patterns together with -o/--output", { option: "--pattern" });
  }
}
