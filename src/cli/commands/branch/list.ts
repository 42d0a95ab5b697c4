/**
 * `pbkfs branch list`: the branches of diff directories, and of these.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";

interface ListOptions extends FormatOptions {
  readonly args: readonly string[];
}

/** The command. */
export const branchListCommand: CommandModule<ListOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("list")
      .description("List branches of diff directories: state, size, age")
      .argument("<diff...>", "diff directories; their branches' branches are listed, too")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "All branches of one", line: "pbkfs branch list /var/tmp/diff" },
        {
          text: "Those that nobody has mounted",
          line: "pbkfs branch list /var/tmp/diff --format json | " +
            "jq -r '.[] | select(.state == \"clean\") | .path'",
        },
      ],
    });
  },

  async run({ args, format }, { terminal }) {
    const { describeBranches, flatten } = await import("#src/usecases/branches/branch_tree.ts");
    const records = args.flatMap((path) => [...flatten(describeBranches(path))].slice(1));
    if (format === "json") {
      const flat = records.map(({ branches: _, ...record }) => record);
      terminal.out(JSON.stringify(flat, null, 2) + "\n");
    } else {
      const { formatBranchTable } = await import("../../output/branch_text.ts");
      terminal.out(formatBranchTable(records, terminal.columns));
    }
    return 0;
  },
};
