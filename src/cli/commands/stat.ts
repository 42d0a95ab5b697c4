/**
 * `pbkfs stat`: all that a source says of its entries; with the mount point of a mount, what that
 * has done.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { pause } from "#src/io/pause.ts";
import type { StatisticsReport } from "#src/usecases/mounting/statistics_report.ts";
import { type CommandContext, type CommandModule, required, wholeNumber } from "../command.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { sourceStat, type SourceVerbOptions } from "./source/entries.ts";

interface StatOptions extends SourceVerbOptions {
  readonly mntPath?: string;
  readonly countersReset?: boolean;
  /** True without a number of seconds. */
  readonly watch?: string | true;
}

const WATCH_SECONDS = 2;
const WATCH_SECONDS_MAX = 86_400;
/** The terminal's screen becomes empty. */
const CLEAR = "\x1b[H\x1b[2J";

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
      .option("--counters-reset", "with -D: count from zero after this")
      .option(
        "--watch [seconds]",
        "with -D: again every so many seconds (=5; default: 2), while it is mounted",
      );
    return command;
  },

  run(options, context) {
    return options.args.length > 0 && options.mntPath === undefined && options.watch === undefined
      ? sourceStat.run(options, context)
      : printStatistics(options, context);
  },
};

async function printStatistics(
  { args, mntPath, countersReset, watch, format }: StatOptions,
  { terminal }: CommandContext,
): Promise<number> {
  const mountPath = required(mntPath, "-D/--mnt-path", "Give the mount point, or a source");
  if (args.length > 0) {
    throw new UsageError("Cannot use -D/--mnt-path together with a source", {
      option: "--mnt-path",
    });
  }
  const { requestStatistics } = await import("#src/usecases/mounting/statistics_request.ts");
  const request = () => requestStatistics(mountPath, { reset: countersReset === true });
  const report = await request();
  if (watch === undefined) {
    await print(report, format === "json" ? 2 : undefined, format, terminal);
    return 0;
  }
  const seconds = watch === true
    ? WATCH_SECONDS
    : wholeNumber(watch, "--watch", 1, WATCH_SECONDS_MAX);
  for (let latest: StatisticsReport | undefined = report; latest !== undefined;) {
    if (format === "text" && terminal.columns !== undefined) terminal.out(CLEAR);
    await print(latest, undefined, format, terminal);
    await pause(seconds * 1000);
    latest = await whileMounted(request);
  }
  return 0;
}

async function print(
  report: StatisticsReport,
  indent: number | undefined,
  format: StatOptions["format"],
  terminal: Terminal,
): Promise<void> {
  if (format === "text") {
    const { formatStatistics } = await import("../output/statistics_text.ts");
    terminal.out(formatStatistics(report, terminal.columns));
  } else {
    terminal.out(JSON.stringify(report, null, indent) + "\n");
  }
}

/** @returns undefined when the mount has ended */
async function whileMounted(
  request: () => Promise<StatisticsReport>,
  isLast = false,
): Promise<StatisticsReport | undefined> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    if (error.code === "not-mounted") return undefined;
    // It may have ended while it was asked.
    if (error.code !== "timeout" || isLast) throw error;
    return await whileMounted(request, true);
  }
}
