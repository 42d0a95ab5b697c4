/**
 * `pbkfs cleanup`: empties a diff directory, or removes what killed servers on backups have left.
 *
 * @module
 */

import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { type CommandModule, formatOption, type FormatOptions, required } from "../command.ts";
import { addHelpNotes } from "../help.ts";

interface CleanupOptions extends FormatOptions {
  readonly diffDir?: string;
  readonly force?: boolean;
  readonly workDir?: string;
}

/** The command. */
export const cleanupCommand: CommandModule<CleanupOptions> = {
  uses: ["read", "ffi", {
    use: "run",
    when: "`--work-dir` is given",
    holds: ({ workDir }) => workDir !== undefined,
  }],

  describe() {
    const command = new Command("cleanup")
      .description(
        "Remove everything inside a diff directory that is not in use; or with --work-dir what " +
          "killed `run` and `drill` have left",
      )
      .option("-d, --diff-dir <path>", "diff directory; itself is kept")
      .option("--force", "clean up although it is not known to be a diff directory")
      .option("--work-dir <dir>", "where `run` and `drill` were: /var/tmp unless told otherwise")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Discard all changes", line: "pbkfs cleanup -d /var/tmp/diff" },
        {
          text: "End servers and mounts of a drill that was killed",
          line: "pbkfs cleanup --work-dir /var/tmp",
        },
      ],
      exitStatus: {
        1: "Failure, such as a diff directory in use; the reason is on standard error.",
      },
    });
  },

  async run(options, { terminal }) {
    if (options.workDir !== undefined) return await removeLeft(options.workDir, options, terminal);
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

async function removeLeft(
  workDir: string,
  { diffDir, format }: CleanupOptions,
  terminal: Terminal,
): Promise<number> {
  if (diffDir !== undefined) {
    throw new UsageError(
      "Cannot use --work-dir together with -d/--diff-dir: clean up one of them",
      {
        option: "--work-dir",
      },
    );
  }
  const { removeLeftovers } = await import("#src/usecases/server_on_source/leftovers.ts");
  const { absolutePath } = await import("#src/io/absolute_path.ts");
  const removed = await removeLeftovers(absolutePath(workDir));
  if (format === "json") {
    terminal.out(JSON.stringify({ type: "summary", work_dir: workDir, removed }) + "\n");
  } else {
    for (const path of removed) terminal.err(`Removed "${path}"\n`);
  }
  return 0;
}
