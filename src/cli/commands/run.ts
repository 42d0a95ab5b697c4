/**
 * `pbkfs run`: a command beside a PostgreSQL server on a source.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import {
  addClusterOptions,
  CLUSTER_ENVIRONMENT,
  type ClusterOptions,
  parseClusterRequest,
} from "../options/cluster_options.ts";
import { StatusLine } from "../terminal/status_line.ts";
import { SOURCE_ARGUMENT } from "../sources/source_options.ts";
import { EndSignals } from "../terminal/end_signals.ts";

interface RunOptions extends FormatOptions, ClusterOptions {
  readonly args: readonly string[];
  readonly writable?: boolean;
}

/** The command. */
export const runCommand: CommandModule<RunOptions> = {
  uses: ["read", "write", "ffi", "run", "env", "net"],

  describe() {
    const command = new Command("run")
      .description(
        "Start PostgreSQL on a backup in place, run a command beside it, and remove everything",
      )
      .argument("<source>", SOURCE_ARGUMENT)
      .argument("[command...]", "behind --: program and arguments (default: psql)")
      .option("--writable", "transactions may write; else only those that ask for it");
    addClusterOptions(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "Bring one table back",
          line: "pbkfs run '/backups#main/latest' -- pg_dump -t orders app > orders.sql",
        },
        { text: "Look at a backup with SQL", line: "pbkfs run '/backups#main/TOTXQL'" },
        {
          text: "As it was at a moment, from the archive of WAL",
          line:
            "pbkfs run '/backups#main/latest' --recovery-target-time '2026-11-29 12:00:00+00' -- psql app",
        },
      ],
      environment: CLUSTER_ENVIRONMENT,
      exitStatus: {
        0: "The command ended with 0. Whatever it ends with, pbkfs ends with too.",
        1: "As the command says; or there was no server, the reason is on standard error.",
      },
    });
  },

  async run(options, context) {
    const [source, ...command] = options.args;
    const { terminal } = context;
    const { runOnSource } = await import("#src/usecases/run/run_command.ts");
    using signals = new EndSignals();
    using line = new StatusLine(terminal, performance.now());
    return await runOnSource({
      ...parseClusterRequest(source!, options, context),
      command,
      readOnly: options.writable !== true,
      signal: signals.signal,
      onProgress: (text) => text === "" ? line.clear() : line.show(() => text),
      onStarted: (pass) => signals.passTo(pass),
    });
  },
};
