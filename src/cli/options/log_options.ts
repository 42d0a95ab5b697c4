/**
 * The options that choose where a process that mounts logs what.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { type Command, Option } from "commander";
import { parseLogLevel } from "#src/log/level.ts";
import type { LogRequest } from "#src/usecases/mounting/mount_log.ts";
import type { CommandContext } from "../command.ts";

/** Values of {@link addLogOptions}, and of `--console`. */
export interface LogOptions {
  readonly console?: boolean;
  readonly logFile?: string;
  readonly logFormat: "text" | "json";
  readonly logSink: "file" | "journald";
  readonly debug?: boolean;
}

/** Adds the options. `fileHelp` says where the log is when no file is named. */
export function addLogOptions(command: Command, fileHelp: string): Command {
  return command
    .option("--log-file <path>", `log file; ${fileHelp}`)
    .addOption(
      new Option("--log-format <format>", "format of log lines").choices(["text", "json"])
        .default("text"),
    )
    .addOption(
      new Option("--log-sink <sink>", "where log lines go").choices(["file", "journald"])
        .default("file"),
    )
    .option("--debug", "log everything");
}

/** What the options ask for. */
export function parseLogRequest(options: LogOptions, context: CommandContext): LogRequest {
  const isConsole = options.console === true && options.logSink === "file" &&
    options.logFile === undefined;
  return {
    format: options.logFormat,
    sink: isConsole ? "stderr" : options.logSink,
    path: options.logFile === undefined ? undefined : absolutePath(options.logFile),
    level: options.debug === true ? "trace" : parseLogLevel(context.environment("PBKFS_LOG")),
  };
}
