/**
 * `pbkfs pxar mount`: an archive as a read-only directory, in the background unless told otherwise.
 *
 * @module
 */

import { resolve } from "node:path";
import { Command, Option } from "commander";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
  wholeNumber,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addLogOptions, type LogOptions, parseLogRequest } from "../../log_options.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../pxar/options.ts";
import type { ArchiveMountRequest } from "../../pxar/mount_job.ts";

const WORKERS_MAX = 64;

interface ArchiveMountOptions extends FormatOptions, PayloadOptions, LogOptions {
  readonly args: readonly string[];
  readonly allowOther?: boolean;
  readonly workers?: string;
  readonly verbose?: boolean;
  /** Set in the background worker. */
  readonly handshake?: boolean;
}

/** The command. */
export const pxarMountCommand: CommandModule<ArchiveMountOptions> = {
  describe() {
    const command = new Command("mount")
      .description("Mount an archive read-only; returns when the mount answers")
      .argument("<archive>", "archive")
      .argument("<mountpoint>", "an existing, empty directory");
    addPayloadOption(command)
      .option("--console", "stay in the foreground and log to standard error")
      .option("--verbose", "same as --console --debug")
      .option("--allow-other", "let other users enter (default for root)")
      .option("--no-allow-other", "let only the mounting user enter (default for others)")
      .option("--workers <count>", "threads that answer the kernel; default is 2 to 4 by cores");
    addLogOptions(command, "without it a mount in the background does not log")
      .addOption(new Option("--handshake").hideHelp())
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Mount an archive", line: "pbkfs pxar mount home.pxar /mnt" },
        {
          text: "Mount a split archive whose parts lie apart",
          line: "pbkfs pxar mount home.mpxar /mnt --payload /other/home.ppxar",
        },
        { text: "Unmount", line: "pbkfs unmount -D /mnt" },
      ],
      environment: {
        PBKFS_FS_WORKERS: "number of threads where --workers is not given",
        PBKFS_LOG: "log level: trace, debug, info, warn or error",
      },
      exitStatus: { 0: "The mount answers; with --console: it has ended." },
    });
  },

  async run(options, context) {
    const request = parseRequest(options, context);
    const isConsole = options.console === true || options.verbose === true;
    if (isConsole || options.handshake === true) {
      const { runArchiveMount } = await import("../../pxar/mount_job.ts");
      return await runArchiveMount(request, options.handshake === true);
    }
    const { launchWorker, workerCommand } = await import("../../background.ts");
    const { state, pid } = await launchWorker({
      command: workerCommand(context.args),
      waitForMount: true,
      timeoutMs: undefined,
      logPath: request.log.path,
    });
    if (options.format === "json") {
      const summary = { type: "summary", state, pid, mnt_path: request.mountPath };
      context.terminal.out(JSON.stringify(summary) + "\n");
    }
    return 0;
  },
};

function parseRequest(options: ArchiveMountOptions, context: CommandContext): ArchiveMountRequest {
  const [archive, mountPoint] = options.args;
  const payload = payloadOf(options);
  const workers = options.workers ?? context.environment("PBKFS_FS_WORKERS");
  const logOptions = options.verbose === true
    ? { ...options, console: true, debug: true }
    : options;
  return {
    archivePath: resolve(archive!),
    payloadPath: payload === undefined ? undefined : resolve(payload),
    mountPath: resolve(mountPoint!),
    allowOther: options.allowOther,
    workerCount: workers === undefined
      ? undefined
      : wholeNumber(workers, "--workers", 1, WORKERS_MAX),
    log: parseLogRequest(logOptions, context),
  };
}
