/**
 * `pbkfs unmount`: ends a mount and its worker.
 *
 * @module
 */

import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import { type CommandModule, formatOption, type FormatOptions, required } from "../command.ts";
import { formatWarning } from "../exit_code.ts";
import { addHelpNotes } from "../help.ts";

interface UnmountOptions extends FormatOptions {
  readonly args: readonly string[];
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly force?: boolean;
}

/** The command. */
export const unmountCommand: CommandModule<UnmountOptions> = {
  uses: ["read", "ffi", "run"],

  describe() {
    const command = new Command("unmount")
      .description("Unmount a backup and wait until its worker has ended")
      .argument("[mount-point]", "what -D says, for short")
      .option("-D, --mnt-path <path>", "mount point")
      .option("-d, --diff-dir <path>", "diff directory, for a mount that no longer answers")
      .option("--force", "kill the worker and detach the mount although it is in use")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Unmount", line: "pbkfs unmount /mnt/pg" },
        {
          text: 'Repair a mount point that says "Transport endpoint is not connected"',
          line: "pbkfs unmount /mnt/pg",
        },
      ],
      exitStatus: { 1: "Failure, such as a mount in use; the reason is on standard error." },
    });
  },

  async run(options, { terminal }) {
    const mountPath = mountPathOf(options);
    const { unmount } = await import("#src/usecases/mounting/unmount.ts");
    const { warning } = await unmount({
      mountPath,
      diffPath: options.diffDir,
      force: options.force === true,
    });
    if (warning !== undefined) terminal.err(formatWarning(warning, options.format));
    if (options.format === "json") {
      terminal.out(
        JSON.stringify({ type: "summary", mnt_path: mountPath, state: "unmounted" }) + "\n",
      );
    }
    return 0;
  },
};

function mountPathOf({ args, mntPath }: UnmountOptions): string {
  const [path] = args;
  if (path !== undefined && mntPath !== undefined && path !== mntPath) {
    throw new UsageError(`Cannot unmount "${path}": -D/--mnt-path names another mount point`, {
      option: "--mnt-path",
    });
  }
  return required(path ?? mntPath, "-D/--mnt-path", "Give the mount point, with it or alone");
}
