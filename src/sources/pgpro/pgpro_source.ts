/**
 * A backup of pg_probackup as a source.
 *
 * @module
 */

import { nativeCodecs } from "#src/codecs/codecs.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import { type BackupIdentity, identifyBackup } from "#src/pgprobackup/backup_identity.ts";
import type { Chain } from "#src/pgprobackup/chain.ts";
import { createPageCounterMemory, PageCounters } from "#src/pgprobackup/page_counters.ts";
import {
  attachPgProbackupTree,
  openChain,
  type OpenedChain,
} from "#src/pgprobackup/pgprobackup_tree.ts";
import type { MountableTree } from "#src/tree/node.ts";
import {
  type Source,
  type SourceDescription,
  type SourceSummary,
  type SourceThread,
  summaryOf,
  utcTime,
} from "../source.ts";
import { type BackupPlace, type BackupQuestion, findBackupToMount } from "./bound_backup.ts";
import { type CatalogLock, lockCatalog } from "./catalog_lock.ts";
import { backupMark } from "./record_keys.ts";

/** Which backup is opened, and how it is shown. */
export interface PgproRequest extends BackupQuestion {
  /** Hold pg_probackup's read lock on the chain where it can be had. */
  readonly lockCatalog: boolean;
  /** Who owns the files; undefined: the owner of the backup. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Where it is shown, for the links of tablespaces; undefined: they are relative. */
  readonly mountPath: string | undefined;
}

/** See {@link SourceDescription}. */
export interface PgproDescription extends SourceDescription {
  readonly kind: "pgpro";
  readonly backup: OpenedChain;
  /** What the trees of all threads count; see `createPageCounterMemory`. */
  readonly pageCounters: SharedArrayBuffer;
}

/** An open backup. */
export interface PgproSource extends Source {
  readonly description: PgproDescription;
  readonly instance: string;
  readonly identity: BackupIdentity;
  /** Target first. */
  readonly chain: Chain;
  /** Why there is no lock although there should be one. */
  readonly lockRefusal: string | undefined;
}

/**
 * Opens a backup. Reads control files and lists only.
 *
 * @throws what `findBackupToMount()` and `openPgProbackupTree()` throw, and what a lock throws
 */
export async function openPgproSource(request: PgproRequest): Promise<PgproSource> {
  const find = () => findBackupToMount(request);
  const { lock, place } = request.lockCatalog
    ? lockCatalog(find)
    : { lock: NO_LOCK, place: find() };
  try {
    return await openPlace(request, place, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

const NO_LOCK: CatalogLock = { release() {} };

async function openPlace(
  request: PgproRequest,
  { instance, chain }: BackupPlace,
  lock: CatalogLock,
): Promise<PgproSource> {
  const { mountPath, owner, store: storePath } = request;
  const access = { openSource: openNativeSource, codecs: nativeCodecs() };
  const tree = openChain(chain, {
    mountPath,
    owner,
    ...access,
  });
  tree.close();
  const identity = await identifyBackup(instance, chain);
  const mark = backupMark({ identity, instance: instance.name, storePath });
  const description: PgproDescription = {
    kind: "pgpro",
    name: mark.name,
    label: `${instance.name}/${identity.backupId}`,
    content: "tree",
    sizeBytes: chain.reduce((sum, { control }) => sum + (control.dataBytes ?? 0), 0),
    mayHaveAcls: false,
    backup: tree.opened,
    pageCounters: createPageCounterMemory(),
  };
  return {
    description,
    summary: summarize(description, identity),
    instance: instance.name,
    identity,
    chain,
    lockRefusal: lock.refusal,
    identify: () => Promise.resolve(mark),
    openTree: () => attachPgProbackupTree(tree.opened, access),
    [Symbol.dispose]: () => lock.release(),
  };
}

function summarize(description: PgproDescription, identity: BackupIdentity): SourceSummary {
  const { control } = description.backup.chain[0]!;
  const postgres = {
    version: control.serverVersion,
    systemIdentifier: identity.systemIdentifier ?? null,
    checksums: control.hasDataChecksums,
    timeline: control.timelineId,
  };
  const time = utcTime(control.recoveryTime ?? control.endTime ?? control.startTime);
  return summaryOf(description, postgres, { time, chain: identity.chain });
}

/** Opens the backup in a thread. Reads nothing. */
export function attachPgpro(description: PgproDescription, thread: SourceThread): MountableTree {
  return attachPgProbackupTree(description.backup, {
    openSource: openGated(openNativeSource, thread.gate),
    codecs: nativeCodecs(),
    counters: new PageCounters(description.pageCounters, thread.index),
  });
}
