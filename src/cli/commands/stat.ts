/**
 * `pbkfs stat`: all that a source says of its entries; with the mount point of a mount, what that
 * has done.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { type CommandContext, type CommandModule, required } from "../command.ts";
import { sourceStat, type SourceVerbOptions } from "./source/entries.ts";

interface StatOptions extends SourceVerbOptions {
  readonly mntPath?: string;
  readonly countersReset?: boolean;
}

/** The command. */
export const statCommand: CommandModule<StatOptions> = {
  uses: sourceStat.uses,

  describe() {
    const command = sourceStat.describe()
      .description(
        "Show all that a source says of an entry; with -D, what a mount has done, and how fast " +
          "(docs/statistics.md)",
      )
      .usage("[options] <source> [path...]\n       stat [options] -D <mount point>");
    command.option("-D, --mnt-path <path>", "mount point, in place of a source")
      .option("--counters-reset", "with -D: count from zero after this");
    return command;
  },

  run(options, context) {
    return options.args.length > 0 && options.mntPath === undefined
      ? sourceStat.run(options, context)
      : printStatistics(options, context);
  },
};

async function printStatistics(
  { args, mntPath, countersReset, format }: StatOptions,
  { terminal }: CommandContext,
): Promise<number> {
  const mountPath = required(mntPath, "-D/--mnt-path", "Give the mount point, or a source");
  if (args.length > 0) {
    throw new UsageError("Cannot use -D/--mnt-path together with a source", {
      option: "--mnt-path",
    });
  }
  const { requestStatistics } = await import("#src/usecases/mounting/statistics_request.ts");
  const report = await requestStatistics(mountPath, { reset: countersReset === true });
  if (format === "text") {
    const { formatStatistics } = await import("../output/statistics_text.ts");
    terminal.out(formatStatistics(report, terminal.columns));
  } else {
    const indent = format === "json" ? 2 : undefined;
    terminal.out(JSON.stringify(report, null, indent) + "\n");
  }
  return 0;
}
