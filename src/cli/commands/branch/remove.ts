/**
 * `pbkfs branch rm`: removes branches, or has their parents forget those that are gone.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";

interface RemoveOptions extends FormatOptions {
  readonly args: readonly string[];
  readonly recursive?: boolean;
  readonly missing?: boolean;
}

/** The command. */
export const branchRemoveCommand: CommandModule<RemoveOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("rm")
      .description("Remove branches that are not mounted, with all that was written to them")
      .argument("<diff...>", "diff directories of branches")
      .option("-r, --recursive", "with all their branches")
      .option("--missing", "remove nothing: have these forget branches that are not there any more")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Throw a clone away", line: "pbkfs branch rm /var/tmp/clone" },
        {
          text: "After branches were removed by other means",
          line: "pbkfs branch rm --missing /var/tmp/diff",
        },
      ],
      exitStatus: {
        1: "Failure, such as a branch that is mounted or has branches; the reason is on standard error.",
      },
    });
  },

  async run({ args, format, recursive: isRecursive = false, missing }, { terminal }) {
    const { forgetMissingBranches, removeBranches } = await import(
      "#src/usecases/branches/branch_removal.ts"
    );
    const forgotten = missing === true ? args.flatMap(forgetMissingBranches) : [];
    const removed = missing === true
      ? []
      : args.flatMap((path) => removeBranches(path, { isRecursive }));
    if (format === "json") {
      const gone = forgotten.map(({ path }) => ({ path }));
      const summary = { type: "summary", removed, forgotten: gone };
      terminal.out(JSON.stringify(summary) + "\n");
    } else {
      for (const { path } of removed) terminal.err(`Removed branch "${path}"\n`);
      for (const { path } of forgotten) terminal.err(`Forgot branch "${path}"\n`);
    }
    return 0;
  },
};
