/**
 * A catalog directory (`-B`): its instances and their backups. There is no index in the format: the
 * list is made by reading every `backup.control`. Works without FFI.
 *
 * @module
 */

import { hostFiles, isDirectory, listDirectories } from "#src/io/files/files.ts";
import { Failure, StateError, UsageError } from "#src/errors.ts";
import { canonicalBackupId, formatBackupId } from "./format/backup_id.ts";
import { type BackupControl, type BackupStatus, parseBackupControl } from "./format/control.ts";
import { type InstanceConfig, parseInstanceConfig } from "./format/instance_config.ts";
import { KEY_VALUES_SIZE_MAX } from "./format/key_values.ts";

/** A backup of a catalog, with or without a readable control file. */
export interface Backup {
  /** From the start time; the name of the directory where the control file cannot be read. */
  readonly id: string;
  /** Path of the directory with `backup.control`. */
  readonly directory: string;
  /** What the control file says; `UNKNOWN` where it cannot be read. */
  readonly status: BackupStatus;
  /** Absent when the status is `UNKNOWN`. */
  readonly control?: BackupControl;
  /** Why the control file cannot be read. */
  readonly problem?: string;
}

/** One instance of a catalog. */
export interface Instance {
  /** Name of its directory below `backups/` and `wal/`. */
  readonly name: string;
  /** Path of the directory that holds its backups. */
  readonly directory: string;
  /** Oldest first. */
  readonly backups: readonly Backup[];
  /** What `pg_probackup.conf` says; absent when it cannot be read. */
  readonly config?: InstanceConfig;
  /** Why `pg_probackup.conf` cannot be read. */
  readonly problem?: string;
}

/**
 * Names of the instances, sorted.
 *
 * @throws {StateError} `not-found` when `store` is not a catalog
 * @throws {OsError} when it may not be looked into
 */
export function listInstances(store: string): string[] {
  requireCatalog(store);
  return listDirectories(`${store}/backups`).filter((name) => !name.startsWith("."));
}

/**
 * Reads an instance with all its backups. A backup that cannot be read is listed with its problem.
 *
 * @throws {StateError} `not-found` when there is no such instance
 * @throws {OsError} when it may not be looked into
 */
export function readInstance(store: string, name: string): Instance {
  requireCatalog(store);
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw new UsageError(`Cannot use "${name}" as instance name`, {
      option: "instance",
      hint: "Instances are the directories in backups/ of the catalog",
    });
  }
  const directory = `${store}/backups/${name}`;
  if (!isDirectory(directory)) {
    throw new StateError("not-found", `Cannot find instance "${name}" in "${store}"`, {
      hint: `Instances there: ${listInstances(store).join(", ") || "none"}`,
    });
  }
  const backups = listDirectories(directory)
    .filter((entry) => !entry.startsWith("."))
    .map((entry) => readBackup(`${directory}/${entry}`, entry))
    .sort((a, b) => a.id.length - b.id.length || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return { name, directory, backups, ...readConfig(directory) };
}

function requireCatalog(store: string): void {
  if (isDirectory(`${store}/backups`)) return;
  const what = isDirectory(store) ? `no directory "backups"` : "there is no such directory";
  throw new StateError("not-found", `Cannot use "${store}" as catalog: ${what}`, {
    hint: "A catalog is the directory that pg_probackup was told to keep backups in",
  });
}

function readBackup(directory: string, name: string): Backup {
  const path = `${directory}/backup.control`;
  const nameId = canonicalBackupId(name);
  try {
    const bytes = hostFiles.read(path, KEY_VALUES_SIZE_MAX);
    if (bytes.length === 0) {
      return { id: nameId, directory, status: "UNKNOWN", problem: `"${path}" is empty` };
    }
    const control = parseBackupControl(bytes, { path, backupId: nameId });
    return { id: formatBackupId(control.startTime), directory, status: control.status, control };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { id: nameId, directory, status: "UNKNOWN", problem: error.message };
  }
}

function readConfig(directory: string): { config: InstanceConfig } | { problem: string } {
  const path = `${directory}/pg_probackup.conf`;
  try {
    return { config: parseInstanceConfig(hostFiles.read(path, KEY_VALUES_SIZE_MAX), { path }) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { problem: error.message };
  }
}

/** Backups that a hint names at most. */
const NAMED_BACKUPS_MAX = 10;

/** For a hint: the youngest backups of instances. */
export function knownBackups(
  instances: readonly { readonly backups: readonly { readonly id: string }[] }[],
): string {
  const ids = instances.flatMap(({ backups }) => backups.map(({ id }) => id));
  const youngest = ids.sort((a, b) => b.length - a.length || (a < b ? 1 : -1)).slice(
    0,
    NAMED_BACKUPS_MAX,
  );
  const more = ids.length > youngest.length
    ? `, and ${ids.length - youngest.length} older ones`
    : "";
  return `Backups there: ${youngest.join(", ") || "none"}${more}`;
}

/**
 * The backup with that id, in either case. Of two with one start time the one whose directory has
 * the name wins.
 */
export function findBackup(instance: Instance, id: string): Backup | undefined {
  const wanted = canonicalBackupId(id);
  const named = instance.backups.find((backup) =>
    backup.id === wanted && canonicalBackupId(directoryName(backup)) === wanted
  );
  return named ?? instance.backups.find((backup) => backup.id === wanted);
}

/** Name of a backup's directory: its id, unless the directory was renamed. */
export function directoryName(backup: Backup): string {
  return backup.directory.slice(backup.directory.lastIndexOf("/") + 1);
}
