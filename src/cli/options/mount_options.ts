/**
 * What a `pbkfs mount` asks for, checked and with absolute paths.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { UsageError } from "#src/errors.ts";
import {
  type CatalogOptions,
  type CommandContext,
  findStorePath,
  type FormatOptions,
  required,
  wholeNumber,
} from "../command.ts";
import { type IoTimeoutOption, parseIoTimeout } from "./io_timeout.ts";
import type { SourceOptions } from "../sources/source_options.ts";
import { formatSourceName } from "#src/sources/name.ts";
import type { BackupRequest } from "#src/usecases/mounting/backup_to_mount.ts";
import {
  type HydrationWish,
  type MountRequest,
  WHOLE_COPY_BYTES_MAX,
  type WritableRequest,
} from "#src/usecases/mounting/mount_request.ts";
import type { Setting } from "#src/usecases/mounting/server_settings.ts";
import { parseByteCount } from "./byte_count.ts";
import { type LogOptions, parseLogRequest } from "./log_options.ts";

/** Values of the flags, as commander gives them. */
export interface MountCommandOptions
  extends CatalogOptions, FormatOptions, LogOptions, IoTimeoutOption, SourceOptions {
  /** Source and mount point; the mount point alone; or none. */
  readonly args: readonly string[];
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly branchOf?: string;
  readonly instance?: string;
  readonly backupId?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly perfUnsafe?: boolean;
  /** False with `--no-wal`. */
  readonly wal: boolean;
  /** False with `--no-lock`. */
  readonly lock: boolean;
  readonly allowOther?: boolean;
  readonly owner?: string;
  readonly config?: readonly string[];
  readonly xattrs?: boolean;
  readonly relativeTablespaces?: boolean;
  readonly workers?: string;
  readonly wholeCopies?: string;
  /** True without a rate. */
  readonly hydrate?: string | true;
  /** Set in the background worker. */
  readonly handshake?: boolean;
}

const WORKERS_MAX = 64;

const WHOLE_COPIES_MEBIBYTES_MAX = 2 ** 30;

/** A mount, as asked for. */
export interface NamedMountRequest extends MountRequest {
  /** Name of the source; undefined: what the diff directory was mounted over, or {@link backup}. */
  readonly source: string | undefined;
  /** A backup by its catalog, instance and id. */
  readonly backup: BackupRequest;
}

/** What makes sense only where something is written. */
const WRITABLE_FLAGS = {
  config: "--config",
  force: "--force",
  owner: "--owner",
  perfUnsafe: "--perf-unsafe",
  xattrs: "--xattrs",
  wholeCopies: "--whole-copies",
  hydrate: "--hydrate",
} as const satisfies Partial<Record<keyof MountCommandOptions, string>>;

/**
 * Checks the flags of a mount; whose `--owner` is, `ownerOfMount()` looks up. @throws {UsageError}
 */
export function parseMountRequest(
  options: MountCommandOptions,
  context: CommandContext,
): NamedMountRequest {
  const { args, diffDir } = options;
  const source = sourceOf(options);
  const mountPath = required(
    mountPointOf(options),
    "-D/--mnt-path",
    "Give an empty directory to mount on",
  );
  if (source === undefined) {
    required(
      diffDir,
      "-d/--diff-dir",
      args.length === 0
        ? "Give a directory for what will be written; it is made when it is missing"
        : "Give SOURCE and MOUNTPOINT, or the diff directory of a mount before",
    );
  }
  const store = source === undefined ? findStorePath(options, context) : undefined;
  const workers = options.workers ?? context.environment("PBKFS_FS_WORKERS");
  return {
    mountPath: absolutePath(mountPath),
    workerCount: workers === undefined
      ? undefined
      : wholeNumber(workers, "--workers", 1, WORKERS_MAX),
    ioTimeoutMs: parseIoTimeout(options),
    allowOther: options.allowOther,
    log: parseLogRequest(options, context),
    writable: parseWritable(options, context),
    source,
    backup: {
      storePath: store === undefined ? undefined : absolutePath(store),
      instance: options.instance,
      backupId: options.backupId,
      lockCatalog: options.lock,
      relativeTablespaces: options.relativeTablespaces === true,
    },
  };
}

/** The name of the source, where there is one. @throws {UsageError} */
function sourceOf({ args, branchOf, diffDir }: MountCommandOptions): string | undefined {
  if (branchOf === undefined) return args.length > 1 ? args[0]! : undefined;
  if (args.length > 1) {
    throw new UsageError("Cannot use --branch-of with SOURCE: it is what is mounted", {
      option: "--branch-of",
    });
  }
  required(diffDir, "-d/--diff-dir", "Give a directory for the branch; it is made when missing");
  return formatSourceName({ kind: "diff", place: absolutePath(branchOf), item: undefined });
}

/** The mount point of either form. @throws {UsageError} when both are mixed */
function mountPointOf(options: MountCommandOptions): string | undefined {
  const { args, branchOf, mntPath } = options;
  const [backupFlag] = Object.entries({
    "--pbk-store": options.pbkStore ?? options.backupPath,
    "--instance": options.instance,
    "--backup-id": options.backupId,
  }).find(([, value]) => value !== undefined) ?? [];
  if (branchOf !== undefined && backupFlag !== undefined) {
    throw new UsageError(`Cannot use ${backupFlag} with --branch-of`, { option: backupFlag });
  }
  if (args.length === 0) return mntPath;
  const flag = mntPath !== undefined ? "--mnt-path" : args.length > 1 ? backupFlag : undefined;
  if (flag === undefined) return args.at(-1);
  throw new UsageError(
    `Cannot use ${flag} with ${args.length > 1 ? "SOURCE and " : ""}MOUNTPOINT`,
    {
      option: flag,
      hint: "Give SOURCE and MOUNTPOINT, or the flags",
    },
  );
}

/** Where changes go. @throws {UsageError} */
function parseWritable(
  options: MountCommandOptions,
  context: CommandContext,
): WritableRequest | undefined {
  const { diffDir } = options;
  if (diffDir === undefined) {
    const flag = Object.entries(WRITABLE_FLAGS)
      .find(([key]) => options[key as keyof typeof WRITABLE_FLAGS] !== undefined)?.[1] ??
      (options.wal ? undefined : "--no-wal");
    if (flag === undefined) return undefined;
    throw new UsageError(`Cannot use ${flag} without --diff-dir: the mount is read-only`, {
      option: flag,
    });
  }
  return {
    diffPath: absolutePath(diffDir),
    force: options.force === true,
    skipFsync: options.perfUnsafe === true,
    materializeOnRead: context.environment("PBKFS_MATERIALIZE_ON_READ") === "true",
    wholeCopyBytesMax: options.wholeCopies === undefined
      ? WHOLE_COPY_BYTES_MAX
      : 2 ** 20 * wholeNumber(options.wholeCopies, "--whole-copies", 0, WHOLE_COPIES_MEBIBYTES_MAX),
    extendedAttributes: options.xattrs === true,
    postgres: {
      noWal: !options.wal,
      settings: (options.config ?? []).map(parseSetting),
      owner: undefined,
    },
    hydration: parseHydration(options),
  };
}

/** @throws {UsageError} */
function parseHydration({ hydrate, wal }: MountCommandOptions): HydrationWish | undefined {
  if (hydrate === undefined) return undefined;
  if (!wal) {
    throw new UsageError("Cannot use --hydrate with --no-wal: the diff would not have the WAL", {
      option: "--hydrate",
    });
  }
  return {
    rateLimit: hydrate === true ? undefined : parseByteCount(hydrate, "--hydrate"),
  };
}

/** Parses `KEY=VALUE`. @throws {UsageError} */
export function parseSetting(text: string): Setting {
  const match = /^([A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?)=([^\p{Cc}]*)$/u.exec(text);
  if (match !== null) return { key: match[1]!, value: match[2]! };
  throw new UsageError(`Cannot use "${text}" for --config: expected KEY=VALUE on one line`, {
    option: "--config",
  });
}
