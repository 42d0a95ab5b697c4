/**
 * `pbkfs cleanup`: empties a diff directory.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions, required } from "../command.ts";
import { addHelpNotes } from "../help.ts";

interface CleanupOptions extends FormatOptions {
  readonly diffDir?: string;
  readonly force?: boolean;
}

/** The command. */
export const cleanupCommand: CommandModule<CleanupOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("cleanup")
      .description("Remove everything inside a diff directory that is not in use")
      .option("-d, --diff-dir <path>", "diff directory; itself is kept")
      .option("--force", "clean up although it is not known to be a diff directory")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [{ text: "Discard all changes", line: "pbkfs cleanup -d /var/tmp/diff" }],
      exitStatus: {
        1: "Failure, such as a diff directory in use; the reason is on standard error.",
      },
    });
  },

  async run(options, { terminal }) {
    const path = required(options.diffDir, "-d/--diff-dir", "Give the directory to empty");
    const { cleanupDiffDirectory } = await import("#src/overlay/cleanup.ts");
    const removed = cleanupDiffDirectory(path, { force: options.force === true });
    if (options.format === "json") {
      terminal.out(JSON.stringify({ type: "summary", diff_dir: path, removed }) + "\n");
    } else {
      terminal.err(`Removed ${removed} entries from "${path}"\n`);
    }
    return 0;
  },
};
