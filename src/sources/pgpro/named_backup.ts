/**
 * Backups of pg_probackup by the names of sources: `CATALOG#INSTANCE/ID`.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import {
  type Backup,
  findBackup,
  type Instance,
  listInstances,
  readInstance,
} from "#src/pgprobackup/catalog.ts";
import { inspectChain } from "#src/pgprobackup/chain.ts";
import { chooseByTime, firstNames } from "../choice.ts";
import { formatSourceName } from "../name.ts";
import { hintOfNames } from "../nearest_name.ts";
import { type OpenSourceOptions, type Source, type SourceSummary, utcTime } from "../source.ts";
import { openPgproSource } from "./pgpro_source.ts";

/** A backup that was named. */
export interface NamedBackup {
  /** Directory of the catalog, without links. */
  readonly store: string;
  readonly instance: string;
  readonly backupId: string;
}

/**
 * Finds a backup of the catalog `place`.
 *
 * @param item `INSTANCE/ID`; the id may also be chosen by time (`choice.ts`)
 * @throws {UsageError} for a name that says too little, with what there is
 * @throws {StateError} `not-found`
 */
export function findNamedBackup(place: string, item: string | undefined): NamedBackup {
  const store = hostFiles.realPath(absolutePath(place));
  const [instance, id, ...more] = item?.split("/") ?? [];
  if (instance === undefined || id === undefined) throw incomplete(place, instance, store);
  if (more.length > 0) {
    throw new UsageError(`Cannot open "${item}" of "${place}": a backup is one source`);
  }
  const instances = listInstances(store);
  if (!instances.includes(instance)) {
    throw notFound(`instance "${instance}"`, store, hintOfNames(instance, instances));
  }
  return { store, instance, backupId: chosenId(store, instance, id) };
}

/**
 * Opens what {@link findNamedBackup} finds, and holds pg_probackup's read lock where it can be had,
 * unless that is not wanted.
 *
 * @throws what `openPgproSource()` throws
 */
export async function openNamedBackup(
  place: string,
  item: string | undefined,
  { force = false, lock = true }: OpenSourceOptions = {},
): Promise<Source> {
  return await openPgproSource({
    ...findNamedBackup(place, item),
    isStoreRemembered: false,
    force,
    bound: undefined,
    lockCatalog: lock,
    owner: undefined,
    mountPath: undefined,
  });
}

/** Of those that can be opened. */
function chosenId(store: string, name: string, id: string): string {
  const instance = readInstance(store, name);
  const backups = () =>
    instance.backups.filter((backup) => inspectChain(instance, backup).obstacle === undefined)
      .map(({ id, control }) => ({ id, time: control!.recoveryTime ?? control!.startTime }));
  const chosen = chooseByTime(id, backups, `instance "${name}" of "${store}"`);
  if (chosen !== undefined) return chosen.id;
  if (findBackup(instance, id) !== undefined) return id;
  const names = instance.backups.map(({ id }) => `${name}/${id}`);
  throw notFound(`backup "${name}/${id}"`, store, hintOfNames(`${name}/${id}`, names));
}

function notFound(what: string, store: string, hint: string): StateError {
  return new StateError("not-found", `Cannot find ${what} in "${store}"`, { hint });
}

/** The error for a name that says too little: with what there is. */
function incomplete(place: string, instance: string | undefined, store: string): UsageError {
  const names = instance === undefined
    ? listInstances(store).map((name) => `${name}/latest`)
    : readInstance(store, instance).backups.map(({ id }) => `${instance}/${id}`);
  return new UsageError(`Cannot open "${place}": it is a catalog of many backups`, {
    hint: `Add #INSTANCE/ID, one of: ${firstNames(names)}`,
  });
}

/**
 * The backups of a catalog, or of one instance of it, oldest first.
 *
 * @returns undefined where the item names one backup
 */
export function listNamedBackups(
  place: string,
  item: string | undefined,
): Promise<SourceSummary[] | undefined> {
  return Promise.try(() => {
    const [name, id] = item?.split("/") ?? [];
    if (id !== undefined) return undefined;
    const store = hostFiles.realPath(absolutePath(place));
    const names = name === undefined ? listInstances(store) : [name];
    return names.flatMap((each) => {
      const instance = readInstance(store, each);
      return instance.backups.map((backup) => summaryOf(store, instance, backup));
    });
  });
}

function summaryOf(store: string, instance: Instance, backup: Backup): SourceSummary {
  const { members, obstacle } = inspectChain(instance, backup);
  const { control } = backup;
  return {
    kind: "pgpro",
    name: formatSourceName({ kind: "pgpro", place: store, item: `${instance.name}/${backup.id}` }),
    content: "tree",
    time: control === undefined
      ? null
      : utcTime(control.recoveryTime ?? control.endTime ?? control.startTime),
    sizeBytes: members.reduce((sum, member) => sum + (member.control.dataBytes ?? 0), 0),
    postgres: control === undefined ? null : {
      version: control.serverVersion,
      systemIdentifier: instance.config?.systemIdentifier ?? null,
      checksums: control.hasDataChecksums,
      timeline: control.timelineId,
    },
    chain: members.map(({ id }) => id).reverse(),
    mountable: obstacle === undefined,
    why: obstacle?.error.message ?? null,
  };
}
