/**
 * The backup that a mount is to show: as asked for, or as the diff directory is bound, wherever the
 * catalog lies now.
 *
 * @module
 */

import { OsError, StateError, UsageError } from "#src/errors.ts";
import {
  findBackup,
  type Instance,
  listInstances,
  readInstance,
} from "#src/pgprobackup/catalog.ts";
import { type Chain, resolveChain } from "#src/pgprobackup/chain.ts";
import type { BackupKeys } from "./record_keys.ts";

/** Where to look for what. */
export interface BackupQuestion {
  readonly store: string;
  /** The catalog was not given: it is where the diff directory was mounted last. */
  readonly isStoreRemembered: boolean;
  readonly instance: string | undefined;
  readonly backupId: string | undefined;
  /** Take a chain that is only marked as damaged. */
  readonly force: boolean;
  /** What the diff directory is bound to. */
  readonly bound: BackupKeys | undefined;
}

/** A backup of a catalog, whose file list is not yet read. */
export interface BackupPlace {
  readonly instance: Instance;
  readonly chain: Chain;
}

/**
 * Finds the backup. One that the diff directory is bound to may be in an instance of another name
 * by now.
 *
 * @throws {UsageError} when neither the caller nor the diff directory says which one
 * @throws {StateError} `not-found`, with what probably became of it; `chain-broken` or
 *   `chain-corrupt`
 * @throws {FormatError} when it is of an unknown version
 */
export function findBackupToMount(question: BackupQuestion): BackupPlace {
  const { instance, backupId } = findBackupId(question);
  return { instance, chain: resolveChain(instance, backupId, question.force) };
}

function findBackupId(question: BackupQuestion): { instance: Instance; backupId: string } {
  const { store, bound } = question;
  if (bound === undefined) {
    const instance = requiredUnlessBound(question.instance, "instance");
    const backupId = requiredUnlessBound(question.backupId, "backupId");
    return { instance: readInstance(store, instance), backupId };
  }
  const backupId = bound.backup_id;
  const read: Instance[] = [];
  for (const instance of readCandidates(question, bound)) {
    if (findBackup(instance, backupId) !== undefined) return { instance, backupId };
    read.push(instance);
  }
  throw lostBackup(store, read, bound);
}

/** Instances in which the bound backup can be, the likeliest one first. */
function* readCandidates(question: BackupQuestion, bound: BackupKeys): Iterable<Instance> {
  const { store, instance } = question;
  const { instance_name: name, system_identifier: cluster } = bound;
  const names = instanceNames(question);
  if (instance !== undefined) {
    yield readInstance(store, instance);
    return;
  }
  if (names.includes(name)) yield readInstance(store, name);
  for (const other of names.filter((each) => each !== name)) {
    const candidate = readIfAllowed(store, other);
    const identifier = candidate?.config?.systemIdentifier;
    const isOther = cluster !== undefined && identifier !== undefined && identifier !== cluster;
    if (candidate !== undefined && !isOther) yield candidate;
  }
}

function readIfAllowed(store: string, name: string): Instance | undefined {
  try {
    return readInstance(store, name);
  } catch (error) {
    if (error instanceof OsError) return undefined;
    throw error;
  }
}

function instanceNames({ store, isStoreRemembered }: BackupQuestion): string[] {
  try {
    return listInstances(store);
  } catch (cause) {
    if (!isStoreRemembered || !(cause instanceof StateError)) throw cause;
    throw new StateError(
      "not-found",
      `Cannot find the catalog: the diff directory was mounted last from "${store}", ` +
        "where there is none now",
      { hint: "Give the catalog's path with `storePath`; it may be any", cause },
    );
  }
}

function lostBackup(store: string, instances: readonly Instance[], bound: BackupKeys): StateError {
  const { backup_id: id, instance_name: name } = bound;
  // A merge leaves the youngest member of the merged chain.
  const heir = instances
    .flatMap((each) => each.backups)
    .find((backup) => backup.control?.mergeTime !== undefined && isYounger(backup.id, id));
  const fate = heir === undefined
    ? "it was deleted or merged, or this is another catalog"
    : `it was probably merged into ${heir.id}`;
  return new StateError(
    "not-found",
    `Cannot find backup ${id}, over which the diff directory was made, in "${store}": ${fate}`,
    {
      hint: `It was in instance "${name}" of "${bound.pbk_store_path}". What was written can ` +
        "only be read together with it; give its catalog with `storePath`",
    },
  );
}

function isYounger(one: string, other: string): boolean {
  return parseInt(one, 36) > parseInt(other, 36);
}

function requiredUnlessBound(value: string | undefined, option: string): string {
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`\`${option}\` is required`, {
    option,
    hint:
      "Only a diff directory that was mounted before knows it; `listInstances()` lists what there is",
  });
}
