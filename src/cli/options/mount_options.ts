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
import type { BackupRequest } from "#src/usecases/mounting/backup_to_mount.ts";
import {
  type MountRequest,
  WHOLE_COPY_BYTES_MAX,
  type WritableRequest,
} from "#src/usecases/mounting/mount_request.ts";
import type { Setting } from "#src/usecases/mounting/server_settings.ts";
import { type LogOptions, parseLogRequest } from "./log_options.ts";

/** Values of the flags, as commander gives them. */
export interface MountCommandOptions
  extends CatalogOptions, FormatOptions, LogOptions, IoTimeoutOption {
  readonly mntPath?: string;
  readonly diffDir?: string;
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
  /** Set in the background worker. */
  readonly handshake?: boolean;
}

const WORKERS_MAX = 64;

const WHOLE_COPIES_MEBIBYTES_MAX = 2 ** 30;

/** A mount of a backup, as asked for. */
export interface BackupMountRequest extends MountRequest {
  readonly writable: WritableRequest;
  readonly backup: BackupRequest;
}

/**
 * Checks the flags of a mount; whose `--owner` is, `ownerOfMount()` looks up. @throws {UsageError}
 */
export function parseMountRequest(
  options: MountCommandOptions,
  context: CommandContext,
): BackupMountRequest {
  const store = findStorePath(options, context);
  const mountPath = required(
    options.mntPath,
    "-D/--mnt-path",
    "Give an empty directory to mount on",
  );
  const diffPath = required(
    options.diffDir,
    "-d/--diff-dir",
    "Give a directory for what will be written; it is made when it is missing",
  );
  const workers = options.workers ?? context.environment("PBKFS_FS_WORKERS");
  return {
    mountPath: absolutePath(mountPath),
    workerCount: workers === undefined
      ? undefined
      : wholeNumber(workers, "--workers", 1, WORKERS_MAX),
    ioTimeoutMs: parseIoTimeout(options),
    allowOther: options.allowOther,
    log: parseLogRequest(options, context),
    writable: {
      diffPath: absolutePath(diffPath),
      force: options.force === true,
      skipFsync: options.perfUnsafe === true,
      materializeOnRead: context.environment("PBKFS_MATERIALIZE_ON_READ") === "true",
      wholeCopyBytesMax: options.wholeCopies === undefined ? WHOLE_COPY_BYTES_MAX : 2 ** 20 *
        wholeNumber(options.wholeCopies, "--whole-copies", 0, WHOLE_COPIES_MEBIBYTES_MAX),
      extendedAttributes: options.xattrs === true,
      postgres: {
        noWal: !options.wal,
        settings: (options.config ?? []).map(parseSetting),
        owner: undefined,
      },
    },
    backup: {
      storePath: store === undefined ? undefined : absolutePath(store),
      instance: options.instance,
      backupId: options.backupId,
      lockCatalog: options.lock,
      relativeTablespaces: options.relativeTablespaces === true,
    },
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
