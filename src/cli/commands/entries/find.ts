/**
 * `find`: entries of an archive by name, type, size and time.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addFindOptions, type FindOptions } from "../../options/find_options.ts";
import { entryFormat, type EntryOptions, type TreeOperands } from "./operands.ts";

/** The verb for a group. */
export function findCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & FindOptions> {
  return {
    uses: operands.uses,

    describe() {
      const command = new Command("find")
        .description(`Find entries of ${operands.noun} by name, type, size and time`);
      operands.addArguments(command)
        .argument("[path]", "where to look; default is the root directory");
      return addHelpNotes(operands.addOptions(addFindOptions(command)), {
        examples: [
          { text: "Pictures above 10 MiB", line: operands.line("find", "-n '*.jpg' -s +10M") },
          {
            text: "What changed since 2025",
            line: operands.line("find", "/home -t f --newer 2025-01-01"),
          },
        ],
        environment: operands.environment,
      });
    },

    async run(options, context) {
      const from = options.args[operands.count] ?? "/";
      const format = entryFormat(operands.output(options, context));
      const { walkEntries } = await import("#src/transfer/walk.ts");
      const { entryFactsOf } = await import("#src/tree/entry_facts.ts");
      const { findFilter } = await import("../../options/find_filters.ts");
      const { EntryOutput } = await import("../../output/entry_output.ts");
      const filter = findFilter(options);
      await operands.use(options, context, (input) => {
        using open = input.openTree();
        const textForm = options.long === true ? "long" : "names";
        using output = new EntryOutput(context.terminal, format === "text" ? textForm : format);
        const walk = walkEntries(open.tree, {
          from,
          onDamage: (path, damage) => output.damages.print(path, damage),
          glob: options.name,
          filter: (_path, entry) => filter(entry),
        });
        for (const { path, entry } of walk) output.print(path, path, entryFactsOf(entry));
        output.damages.finish("searched");
      });
      return 0;
    },
  };
}
