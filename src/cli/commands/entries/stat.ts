/**
 * `stat`: all that an archive says of an entry.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import type { EntryOptions, TreeOperands } from "./operands.ts";

/** The verb for a group. */
export function entryStatCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options> {
  return {
    uses: operands.uses,

    describe() {
      const command = new Command("stat")
        .description(`Show all that ${operands.noun} says of an entry`);
      operands.addArguments(command)
        .argument("[path...]", "entries; default is the root directory");
      return addHelpNotes(operands.addOptions(command), {
        examples: [
          { text: "One entry", line: operands.line("stat", "/etc/fstab") },
          ...operands.examples?.["stat"] ?? [],
        ],
        environment: operands.environment,
        exitStatus: { 1: "Failure: no such entry, or something is damaged." },
      });
    },

    async run(options, context) {
      const output = operands.output(options, context);
      const paths = options.args.slice(operands.count);
      const { describeEntries } = await import("#src/usecases/archive/description.ts");
      const { descriptionRecord } = await import("#src/usecases/archive/entry_record.ts");
      const { formatDescription } = await import("../../output/description_text.ts");
      await operands.use(options, context, (input) => {
        using open = input.openTree();
        const entries = describeEntries(open, paths.length === 0 ? ["/"] : paths);
        output.list(
          entries.map(descriptionRecord),
          () => entries.map(formatDescription).join("\n"),
        );
      });
      return 0;
    },
  };
}
