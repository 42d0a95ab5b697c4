/**
 * The options of commands that mount a tree.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { type CommandContext, wholeNumber } from "../command.ts";
import { addIoTimeout, type IoTimeoutOption, parseIoTimeout } from "./io_timeout.ts";
import { addLogOptions, type LogOptions, parseLogRequest } from "./log_options.ts";
import { parseSetting } from "./mount_options.ts";
import {
  type MountRequest,
  WHOLE_COPY_BYTES_MAX,
  type WritableRequest,
} from "#src/usecases/mounting/mount_request.ts";

const WORKERS_MAX = 64;

/** Environment variables of such commands, for their help. */
export const TREE_MOUNT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PBKFS_FS_WORKERS: "number of threads where --workers is not given",
  PBKFS_LOG: "log level: trace, debug, info, warn or error",
};

/** Values of {@link addTreeMountOptions}. */
export interface TreeMountOptions extends LogOptions, IoTimeoutOption {
  readonly allowOther?: boolean;
  readonly workers?: string;
  readonly verbose?: boolean;
  readonly diffDir?: string;
  readonly force?: boolean;
  readonly config?: readonly string[];
  /** False with `--no-wal`. */
  readonly wal?: boolean;
  readonly owner?: string;
  /** Set in the background worker. */
  readonly handshake?: boolean;
}

/** Adds what says how a tree is mounted. */
export function addTreeMountOptions(command: Command): Command {
  command
    .option("--console", "stay in the foreground and log to standard error")
    .option("--verbose", "same as --console --debug")
    .option("--allow-other", "let other users enter (default for root)")
    .option("--no-allow-other", "let only the mounting user enter (default for others)")
    .option("--workers <count>", "threads that answer the kernel; default is 2 to 4 by cores");
  addIoTimeout(command);
  return addLogOptions(command, "without it a mount in the background does not log")
    .addOption(new Option("--handshake").hideHelp());
}

/** Adds what makes a mount writable. */
export function addDiffDirectoryOptions(command: Command): Command {
  return command
    .option(
      "-d, --diff-dir <path>",
      "mount writable; changes go to this directory, made when missing",
    )
    .option("--force", "mount a diff with lost writes, or over what has changed since")
    .option(
      "--config <key=value>",
      "setting of a PostgreSQL server, added in the diff; repeatable",
      (value, former: readonly string[] = []) => [...former, value],
    )
    .option("--owner <user[:group]>", "owner of all files, as a server wants it; remembered")
    .option("--no-wal", "keep writes to pg_wal only while mounted; the diff cannot be reused");
}

/** Where changes go. @throws {UsageError} */
function parseWritable(
  { diffDir, force, config = [], wal = true, owner }: TreeMountOptions,
): WritableRequest | undefined {
  const [lost] = Object.entries({
    "--force": force === true,
    "--config": config.length > 0,
    "--owner": owner !== undefined,
    "--no-wal": !wal,
  }).find(([, isGiven]) => isGiven) ?? [];
  if (diffDir !== undefined) {
    return {
      diffPath: absolutePath(diffDir),
      force: force === true,
      skipFsync: false,
      materializeOnRead: false,
      wholeCopyBytesMax: WHOLE_COPY_BYTES_MAX,
      extendedAttributes: true,
      postgres: { noWal: !wal, settings: config.map(parseSetting), owner: undefined },
    };
  }
  if (lost === undefined) return undefined;
  throw new UsageError(`Cannot use ${lost} without --diff-dir: the mount is read-only`, {
    option: lost,
  });
}

/** What the options ask for. @throws {UsageError} */
export function parseTreeMount(
  mountPoint: string,
  options: TreeMountOptions,
  context: CommandContext,
): MountRequest {
  const workers = options.workers ?? context.environment("PBKFS_FS_WORKERS");
  const logOptions = options.verbose === true
    ? { ...options, console: true, debug: true }
    : options;
  return {
    mountPath: absolutePath(mountPoint),
    allowOther: options.allowOther,
    workerCount: workers === undefined
      ? undefined
      : wholeNumber(workers, "--workers", 1, WORKERS_MAX),
    ioTimeoutMs: parseIoTimeout(options),
    log: parseLogRequest(logOptions, context),
    writable: parseWritable(options),
  };
}
