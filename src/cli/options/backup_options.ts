/**
 * What a `pbkfs pbs backup` asks for, checked.
 *
 * @module
 */

import { type Command, Option } from "commander";
import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import { type BackupSpec, checkBackupSpecs, parseBackupSpec } from "#src/backup/backup_spec.ts";
import { UsageError } from "#src/errors.ts";
import {
  BACKUP_TYPES,
  type BackupType,
  isBackupId,
  isBackupTime,
  type Namespace,
  parseBackupTime,
} from "#src/pbs/format/snapshot_path.ts";
import type { NewBackup } from "#src/usecases/datastore/backup.ts";
import { wholeNumber } from "../command.ts";
import { addCreateOptions, type ArchiveCreateOptions, buildOptions } from "./create_options.ts";
import { addBackupKeyOptions, type BackupKeyOptions } from "../keys/key_choice.ts";
import { addStoreOptions, type StoreOptions } from "../datastore/store.ts";

/** Values of options about how a snapshot is made. */
export interface NewSnapshotFlags {
  readonly backupTime?: string;
  readonly owner?: string;
  readonly chunkSize?: string;
  readonly workers?: string;
}

/** Values of {@link addBackupOptions}. */
export interface BackupCommandOptions
  extends StoreOptions, BackupKeyOptions, ArchiveCreateOptions, NewSnapshotFlags {
  readonly args: readonly string[];
  readonly backupType: BackupType;
  readonly backupId?: string;
  readonly changeDetectionMode: ChangeDetectionMode;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
}

/** A backup, as asked for at a command line. */
export interface BackupCommand extends NewBackup {
  readonly isDryRun: boolean;
  readonly isVerbose: boolean;
}

const KIBIBYTE = 1024;
const CHUNK_KIB_MIN = 64;
const CHUNK_KIB_MAX = 4096;
const WORKERS_MAX = 64;

/** Adds what says what is backed up, where to and how. */
export function addBackupOptions(command: Command): Command {
  command
    .addOption(
      new Option("--backup-type <type>", "first part of the group's name").choices(BACKUP_TYPES)
        .default("host"),
    )
    .option("--backup-id <id>", "second part of the group's name; default is the host's name");
  addTimeOptions(command, "now");
  addStoreOptions(command).addOption(modeOption().default("legacy"));
  addChunkSizeOption(command);
  addBackupKeyOptions(addCreateOptions(command));
  return addWorkersOption(command)
    .option("--dry-run", "do everything but read contents and write")
    .option("-v, --verbose", "print each path");
}

/** Adds what says which time a snapshot has and whom it belongs to. */
export function addTimeOptions(command: Command, defaultTime: string): Command {
  return command
    .option(
      "--backup-time <time>",
      "time of the snapshot: 2024-01-10T10:00:00Z or seconds since 1970; default is " + defaultTime,
    )
    .option(
      "--owner <auth-id>",
      "user or token of a server that a new group belongs to, and an existing one must; default for a new one is root@pam",
    );
}

/** The option of how archives are made. */
export function modeOption(): Option {
  return new Option(
    "--change-detection-mode <mode>",
    "legacy: one archive; data: metadata and contents apart; metadata: do not read files whose metadata are as in the last snapshot",
  ).choices(["legacy", "data", "metadata"]);
}

/** Adds the option of how large chunks are. */
export function addChunkSizeOption(command: Command): Command {
  return command.option(
    "--chunk-size <KiB>",
    "size of chunks, on average: a power of two from 64 to 4096; default is 4096",
  );
}

/** Adds the option of how many threads help. */
export function addWorkersOption(command: Command): Command {
  return command.option(
    "--workers <count>",
    "threads that help; default is one for each core but the first, 0 is none",
  );
}

/** What the options say of a new snapshot. @throws {UsageError} */
export function snapshotRequest(
  { backupTime, owner, chunkSize, workers }: NewSnapshotFlags,
): Pick<NewBackup, "time" | "owner" | "chunkSize" | "workers"> {
  return {
    time: backupTime === undefined ? undefined : parseTime(backupTime),
    owner,
    chunkSize: chunkSize === undefined ? undefined : parseChunkSize(chunkSize),
    workers: workers === undefined
      ? navigator.hardwareConcurrency - 1
      : wholeNumber(workers, "--workers", 0, WORKERS_MAX),
  };
}

/** Checks the options. `hostName` tells the name of this host. @throws {UsageError} */
export function parseBackupRequest(
  options: BackupCommandOptions,
  ns: Namespace,
  hostName: () => string,
): BackupCommand {
  return backupRequest(options, options.args.map(parseBackupSpec), ns, hostName);
}

/** As {@link parseBackupRequest}, of what is named in another way. @throws {UsageError} */
export function backupRequest(
  options: BackupCommandOptions,
  specs: readonly BackupSpec[],
  ns: Namespace,
  hostName: () => string,
): BackupCommand {
  checkBackupSpecs(specs);
  return {
    specs,
    group: {
      ns,
      type: options.backupType,
      id: chooseId(options.backupId, hostName),
    },
    ...snapshotRequest(options),
    mode: options.changeDetectionMode,
    build: buildOptions(options),
    isDryRun: options.dryRun === true,
    isVerbose: options.verbose === true,
  };
}

function chooseId(given: string | undefined, hostName: () => string): string {
  const id = given ?? hostName();
  if (isBackupId(id)) return id;
  throw new UsageError(`Cannot use "${id}" as backup id`, {
    option: "--backup-id",
    hint: "Give letters, digits, `_`, `.` and `-` with --backup-id",
  });
}

function parseTime(text: string): number {
  const time = /^\d{1,12}$/u.test(text) ? Number(text) : parseBackupTime(text);
  if (isBackupTime(time)) return time;
  throw new UsageError(`Cannot use "${text}" for --backup-time`, {
    option: "--backup-time",
    hint: "Expected YYYY-MM-DDTHH:MM:SSZ, or seconds since 1970",
  });
}

function parseChunkSize(text: string): number {
  const kibibytes = wholeNumber(text, "--chunk-size", CHUNK_KIB_MIN, CHUNK_KIB_MAX);
  if (Number.isInteger(Math.log2(kibibytes))) return kibibytes * KIBIBYTE;
  throw new UsageError(`Cannot use "${text}" for --chunk-size: it is not a power of two`, {
    option: "--chunk-size",
  });
}
