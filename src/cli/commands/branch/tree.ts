/**
 * `pbkfs branch tree`: draws diff directories with their branches.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";

interface TreeOptions extends FormatOptions {
  readonly args: readonly string[];
}

/** The command. */
export const branchTreeCommand: CommandModule<TreeOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("tree")
      .description("Draw diff directories with their branches, below what they were made over")
      .argument("<diff...>", "diff directories")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [{ text: "Everything below one", line: "pbkfs branch tree /var/tmp/diff" }],
    });
  },

  async run({ args, format }, { terminal }) {
    const { describeBranches } = await import("#src/usecases/branches/branch_tree.ts");
    const records = args.map(describeBranches);
    if (format === "json") {
      terminal.out(JSON.stringify(records, null, 2) + "\n");
    } else {
      const { formatBranchTree } = await import("../../output/branch_text.ts");
      terminal.out(records.map(formatBranchTree).join("\n"));
    }
    return 0;
  },
};
