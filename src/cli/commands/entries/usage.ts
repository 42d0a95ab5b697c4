/**
 * `du`: how much there is below directories.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { entryFormat, type EntryOptions, type TreeOperands } from "./operands.ts";

interface UsageOptions {
  readonly all?: boolean;
  readonly apparentSize?: boolean;
  readonly bytes?: boolean;
  readonly depth?: string;
  readonly humanReadable?: boolean;
  readonly summarize?: boolean;
}

/** Deeper than any path. */
const DEPTH_MAX = 1_000_000;

/** The verb for a group. */
export function usageCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & UsageOptions> {
  return {
    uses: operands.uses,

    describe() {
      const command = new Command("du")
        .description(
          `Sum up what is below directories of ${operands.noun}, in KiB: contents of files ` +
            "without holes, each file once",
        )
        // As for du(1), -h is about sizes.
        .helpOption("--help", "display help for command");
      operands.addArguments(command)
        .argument("[path...]", "what to sum up; default is the root directory")
        .option("-a, --all", "files too, not only directories")
        .option("-s, --summarize", "only the sum of each path")
        .option("-d, --depth <count>", "directories up to so many levels below a path")
        .option("-h, --human-readable", "with units, such as 5.2 MiB")
        .option("-b, --bytes", "exact lengths in bytes, holes included")
        .option("--apparent-size", "lengths, holes included");
      return addHelpNotes(operands.addOptions(command), {
        examples: [
          { text: "The largest directories", line: operands.line("du", "| sort -rn | head") },
          { text: "What each user has", line: operands.line("du", "/home -h --depth 1") },
        ],
        environment: operands.environment,
        exitStatus: { 1: "Failure: no such path, or something is damaged and not counted." },
      });
    },

    async run(options, context) {
      const paths = options.args.slice(operands.count);
      const { all, depth, summarize } = options;
      const depthMax = summarize === true
        ? 0
        : depth === undefined
        ? DEPTH_MAX
        : wholeNumber(depth, "--depth", 0, DEPTH_MAX);
      const format = entryFormat(operands.output(options, context));
      const { usageBelow } = await import("#src/usecases/archive/usage.ts");
      const { UsageOutput } = await import("../../output/usage_output.ts");
      const unit = options.humanReadable === true ? "human" : options.bytes === true ? "B" : "KiB";
      const isApparent = options.apparentSize === true || options.bytes === true;
      await operands.use(options, context, (input) => {
        using open = input.openTree();
        using output = new UsageOutput(context.terminal, { format, unit, isApparent });
        for (const path of paths.length === 0 ? ["/"] : paths) {
          const found = usageBelow(open, path, (at, damage) => output.damages.print(at, damage));
          for (const usage of found) {
            const isShown = usage.isDirectory || all === true || usage.depth === 0;
            if (isShown && usage.depth <= depthMax) output.print(usage);
          }
        }
        output.damages.finish("counted");
      });
      return 0;
    },
  };
}
