/**
 * `diff`: what differs between two trees.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addDiffOptions, type ComparisonOptions } from "../../options/diff_options.ts";
import { entryFormat, type EntryOptions, type PairOperands } from "./operands.ts";

/** The verb for a group. */
export function diffCommand<Options extends EntryOptions>(
  operands: PairOperands<Options>,
): CommandModule<Options & ComparisonOptions> {
  return {
    uses: operands.uses,

    describe() {
      const command = operands.addArguments(
        new Command("diff").description(operands.description),
      );
      return addHelpNotes(operands.addOptions(addDiffOptions(command)), {
        examples: operands.examples,
        environment: operands.environment,
        exitStatus: {
          0: "Nothing differs.",
          1: "Something differs, and is on standard output; or failure, on standard error.",
          2: "Something could not be compared, and is on standard error; or wrong usage.",
        },
      });
    },

    async run(options, context) {
      const format = entryFormat(operands.output(options, context));
      const { printDifferences } = await import("../../jobs/diff_job.ts");
      return await operands.use(
        options,
        context,
        (left, right) => printDifferences(left, right, { ...options, format }, context.terminal),
      );
    },
  };
}
