/**
 * `pbkfs stat`: prints what a mount has done.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions, required } from "../command.ts";
import { addHelpNotes } from "../help.ts";

interface StatOptions extends FormatOptions {
  readonly mntPath?: string;
  readonly countersReset?: boolean;
}

/** The command. */
export const statCommand: CommandModule<StatOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("stat")
      .description("Print what a mount has done, and how fast (docs/statistics.md)")
      .option("-D, --mnt-path <path>", "mount point")
      .option("--counters-reset", "count from zero after this")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "Latency of reads",
          line: "pbkfs stat -D /mnt/pg --format json | jq .operations.read",
        },
      ],
    });
  },

  async run(options, { terminal }) {
    const mountPath = required(options.mntPath, "-D/--mnt-path", "Give the mount point");
    const { requestStatistics } = await import("#src/usecases/mounting/statistics_request.ts");
    const report = await requestStatistics(mountPath, { reset: options.countersReset === true });
    if (options.format === "json") {
      terminal.out(JSON.stringify(report, null, 2) + "\n");
    } else {
      const { formatStatistics } = await import("../output/statistics_text.ts");
      terminal.out(formatStatistics(report, terminal.columns));
    }
    return 0;
  },
};
