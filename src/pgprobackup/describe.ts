/**
 * What a catalog holds, as plain data for people and programs. Reads control files and file lists,
 * never page data, and works without FFI.
 *
 * @module
 */

import { Failure, OsError, StateError } from "#src/errors.ts";
import {
  type Backup,
  findBackup,
  type Instance,
  knownBackups,
  listInstances,
  readInstance,
} from "./catalog.ts";
import { type ChainMember, inspectChain } from "./chain.ts";
import { readContentList } from "./content_list.ts";
import { PAGE_COMPRESSION_NAMES } from "./format/content.ts";
import type { BackupControl } from "./format/control.ts";
import { readTablespaceMap } from "./restore_maps.ts";

/** Which part of a catalog to describe. */
export interface DescribeOptions {
  /** Path of the catalog, what is the `-B` of pg_probackup. */
  readonly store: string;
  /** All instances when absent. */
  readonly instance?: string | undefined;
  /** All backups when absent; in either case. */
  readonly backupId?: string | undefined;
}

/** A catalog. JSON-able; times are ISO 8601 in UTC. */
export interface CatalogDescription {
  /** Path of the catalog, as it was given. */
  readonly store: string;
  /** Sorted by name. */
  readonly instances: readonly InstanceDescription[];
}

/** An instance of a catalog, with its backups drawn as chains. */
export interface InstanceDescription {
  /** Name of its directory below `backups/`. */
  readonly name: string;
  /** Of the cluster: 64 bits in decimal. Absent when the configuration cannot be read. */
  readonly system_identifier?: string;
  /** Bytes of one segment file of the WAL. Absent like `system_identifier`. */
  readonly wal_segment_size?: number;
  /** Data directory that the backups were taken from. */
  readonly pgdata?: string;
  /** The instance may not be looked into; `problem` says why. */
  readonly unreadable?: boolean;
  /** Why the instance or its configuration cannot be read. */
  readonly problem?: string;
  /** Each chain from its first backup on, children after their parent. */
  readonly backups: readonly BackupDescription[];
}

/** A backup. Fields that the control file does not have are absent. */
export interface BackupDescription {
  /** Its start time in base 36, in upper case, as pg_probackup names it. */
  readonly id: string;
  /** Word of the control file, such as `OK` or `CORRUPT`; `UNKNOWN` without a readable one. */
  readonly status: string;
  /**
   * Lines that draw the chain before the id: empty for a backup without parent, `├─ `, `│  └─ ` …
   */
  readonly branch: string;
  /** Ids from the target to the FULL backup, as far as they could be followed. */
  readonly chain: readonly string[];
  /** Whether its chain can be opened as it is. */
  readonly mountable: boolean;
  /** It is not mountable, but is with `--force`. */
  readonly mountable_with_force: boolean;
  /** Why it cannot be mounted (without `--force`). */
  readonly reason?: string;
  /** The backup that this increment builds on; a FULL backup has none. */
  readonly parent_id?: string;
  /** How it was taken: `FULL`, `PAGE`, `DELTA` or `PTRACK`. */
  readonly mode?: string;
  /** The WAL that recovery needs is inside of the backup. */
  readonly stream?: boolean;
  /** Compression asked for, such as `zlib`; each file has its own. */
  readonly compress_algorithm?: string;
  /** Level asked for, 0 to 9. */
  readonly compress_level?: number;
  /** Number of data files stored in this backup by their own compression. */
  readonly compression_mix?: Readonly<Record<string, number>>;
  /** The cluster has checksums of its data pages. */
  readonly checksums?: boolean;
  /** Taken from a standby. */
  readonly from_replica?: boolean;
  /** Of the pg_probackup that took it, such as `2.5.15`. */
  readonly program_version?: string;
  /** Major version of PostgreSQL, such as `15`. */
  readonly server_version?: string;
  /** Timeline that the cluster was on. */
  readonly timeline?: number;
  /** Where recovery begins, as PostgreSQL prints it: `0/2000028`. */
  readonly start_lsn?: string;
  /** Where the backup is consistent. */
  readonly stop_lsn?: string;
  /** When it began; the id is made of this. */
  readonly start_time?: string;
  /** When its last byte was written. */
  readonly end_time?: string;
  /** When increments were merged into it. */
  readonly merge_time?: string;
  /** Earliest time at which a server that recovers it is consistent. */
  readonly recovery_time?: string;
  /** Until when it is pinned. */
  readonly expire_time?: string;
  /** Transaction id that goes with `recovery_time`, in decimal. */
  readonly recovery_xid?: string;
  /** Bytes stored without WAL, and 4,096 for each directory. */
  readonly data_bytes?: number;
  /** Bytes of the WAL that recovery needs, inside the backup or in the archive. */
  readonly wal_bytes?: number;
  /** Like `data_bytes`, before compression and without page headers. */
  readonly uncompressed_bytes?: number;
  /** Size of the data directory when the backup began. */
  readonly pgdata_bytes?: number;
  /** Entries of the file list, directories included. */
  readonly files?: number;
  /** By object id; empty where the list of files cannot be read. */
  readonly tablespaces: readonly TablespaceDescription[];
  /** In the order of their numbers. */
  readonly external_directories: readonly ExternalDirectoryDescription[];
  /** What was noted with `set-backup --note`. */
  readonly note?: string;
}

/** A tablespace of a backup. `path` is where it was on the server. */
export interface TablespaceDescription {
  /** Object id of the tablespace: the name of its link in `pg_tblspc`. */
  readonly oid: number;
  /** Absent when the backup has no `tablespace_map` that names it. */
  readonly path?: string;
}

/** External directory `number`; a mount shows it as `.pbkfs/external/<number>`. */
export interface ExternalDirectoryDescription {
  /** Counted from 1. */
  readonly number: number;
  /** Where it was on the machine that was backed up. */
  readonly path: string;
}

/**
 * Describes a catalog, one of its instances or one backup. An instance that may not be looked into
 * is listed with that as its problem, unless there is no other.
 *
 * @throws {StateError} `not-found` when there is no such catalog, instance or backup
 * @throws {OsError} when nothing of what was asked for may be looked into
 */
export function describeCatalog(options: DescribeOptions): CatalogDescription {
  const { store, backupId } = options;
  const names = options.instance === undefined ? listInstances(store) : [options.instance];
  const instances: InstanceDescription[] = [];
  const refusals: OsError[] = [];
  for (const name of names) {
    try {
      const instance = readInstance(store, name);
      if (backupId === undefined) instances.push(describeInstance(instance));
      const backup = backupId === undefined ? undefined : findBackup(instance, backupId);
      if (backup !== undefined) instances.push(describeInstance(instance, backup));
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      refusals.push(error);
      instances.push({ name, unreadable: true, problem: error.message, backups: [] });
    }
  }
  if (refusals.length > 0 && refusals.length === instances.length) throw refusals[0]!;
  if (instances.length === 0 && backupId !== undefined) {
    throw new StateError("not-found", `Cannot find backup ${backupId.toUpperCase()}`, {
      hint: knownBackups(instances),
    });
  }
  return { store, instances };
}

function describeInstance(instance: Instance, only?: Backup): InstanceDescription {
  const lists = new ListReader();
  const backups = drawChains(instance)
    .filter(({ backup }) => only === undefined || backup === only)
    // One backup alone is not drawn as part of a chain.
    .map(({ backup, branch }) =>
      describeBackup(instance, backup, only === undefined ? branch : "", lists)
    );
  return {
    name: instance.name,
    ...defined({
      system_identifier: instance.config?.systemIdentifier,
      wal_segment_size: instance.config?.walSegmentSizeBytes,
      pgdata: instance.config?.pgdata,
      problem: instance.problem,
    }),
    backups,
  };
}

/** Backups in the order of their chains, each with the lines that lead to it. */
function drawChains(instance: Instance): { backup: Backup; branch: string }[] {
  const children = new Map<Backup | undefined, Backup[]>();
  for (const backup of instance.backups) {
    const parentId = backup.control?.mode === "FULL" ? undefined : backup.control?.parentId;
    const parent = parentId === undefined ? undefined : findBackup(instance, parentId);
    children.set(parent, [...children.get(parent) ?? [], backup]);
  }
  const drawn: { backup: Backup; branch: string }[] = [];
  const draw = (backup: Backup, indent: string, joint: string, isLast: boolean) => {
    drawn.push({ backup, branch: indent + joint });
    const below = joint === "" ? "" : indent + (isLast ? "   " : "│  ");
    const own = children.get(backup) ?? [];
    own.forEach((child, index) => {
      const isLastChild = index === own.length - 1;
      draw(child, below, isLastChild ? "└─ " : "├─ ", isLastChild);
    });
  };
  for (const root of children.get(undefined) ?? []) draw(root, "", "", true);
  // What is left are circles of parents.
  const known = new Set(drawn.map(({ backup }) => backup));
  for (const backup of instance.backups) {
    if (!known.has(backup)) drawn.push({ backup, branch: "" });
  }
  return drawn;
}

function describeBackup(
  instance: Instance,
  backup: Backup,
  branch: string,
  lists: ListReader,
): BackupDescription {
  const { members, obstacle } = inspectChain(instance, backup);
  const list = lists.read(backup);
  const listProblem = members.map((member) => lists.read(member).problem)
    .find((problem) => problem !== undefined);
  const isWhole = listProblem === undefined;
  // What nothing passes over is the more important reason.
  const reason = obstacle?.isForceable === true && !isWhole
    ? listProblem
    : obstacle?.error.message ?? listProblem;
  return {
    id: backup.id,
    status: backup.status,
    branch,
    chain: members.map((member) => member.id),
    mountable: obstacle === undefined && isWhole,
    mountable_with_force: obstacle?.isForceable === true && isWhole,
    ...defined({ reason }),
    ...(backup.control && describeControl(backup.control)),
    ...defined({ compression_mix: list.compressionMix, files: list.files }),
    tablespaces: describeTablespaces(backup, list.tablespaceOids),
    external_directories: (backup.control?.externalDirectories ?? [])
      .map((path, index) => ({ number: index + 1, path })),
  };
}

function describeControl(control: BackupControl) {
  return {
    mode: control.mode,
    stream: control.isStream,
    compress_algorithm: control.compressAlgorithm,
    compress_level: control.compressLevel,
    checksums: control.hasDataChecksums,
    from_replica: control.isFromReplica,
    program_version: control.programVersion,
    server_version: control.serverVersion,
    timeline: control.timelineId,
    start_lsn: control.startLsn,
    stop_lsn: control.stopLsn,
    start_time: isoTime(control.startTime),
    ...defined({
      parent_id: control.parentId,
      end_time: isoTime(control.endTime),
      merge_time: isoTime(control.mergeTime),
      recovery_time: isoTime(control.recoveryTime),
      expire_time: isoTime(control.expireTime),
      recovery_xid: control.recoveryXid,
      data_bytes: control.dataBytes,
      wal_bytes: control.walBytes,
      uncompressed_bytes: control.uncompressedBytes,
      pgdata_bytes: control.pgdataBytes,
      note: control.note,
    }),
  };
}

/** What a file list says by itself. */
interface ListSummary {
  readonly tablespaceOids: readonly number[];
  readonly files?: number;
  readonly compressionMix?: Readonly<Record<string, number>>;
  readonly problem?: string;
}

/** Reads each list once, though a backup is a member of several chains. */
class ListReader {
  readonly #summaries = new Map<Backup, ListSummary>();

  read(backup: Backup): ListSummary {
    let summary = this.#summaries.get(backup);
    if (summary === undefined) {
      summary = summarizeList(backup);
      this.#summaries.set(backup, summary);
    }
    return summary;
  }
}

function summarizeList(backup: Backup): ListSummary {
  if (backup.control === undefined) return { tablespaceOids: [] };
  let files = 0;
  const compressionMix: Record<string, number> = {};
  const tablespaceOids = new Set<number>();
  try {
    readContentList(backup as ChainMember, (entry) => {
      files += 1;
      const oid = entry.externalNumber === 0 && /^pg_tblspc\/(\d+)(\/|$)/.exec(entry.path)?.[1];
      if (oid) tablespaceOids.add(Number(oid));
      if (!entry.isDataFile || entry.isCfs || entry.size <= 0) return;
      const name = PAGE_COMPRESSION_NAMES[entry.compression];
      compressionMix[name] = (compressionMix[name] ?? 0) + 1;
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { tablespaceOids: [], problem: error.message };
  }
  return { tablespaceOids: [...tablespaceOids].sort((a, b) => a - b), files, compressionMix };
}

/**
 * Joins the OIDs of the list with the paths of the backup's `tablespace_map` (`OID path` lines).
 */
function describeTablespaces(backup: Backup, oids: readonly number[]): TablespaceDescription[] {
  if (oids.length === 0) return [];
  let paths = new Map<string, string>();
  try {
    paths = readTablespaceMap(backup);
  } catch (error) {
    // The original places are for information only.
    if (!(error instanceof Failure)) throw error;
  }
  return oids.map((oid) => ({ oid, ...defined({ path: paths.get(String(oid)) }) }));
}

function isoTime(seconds: number): string;
function isoTime(seconds: number | undefined): string | undefined;
function isoTime(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString();
}

/** Leaves out what is undefined. */
function defined<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };
}
