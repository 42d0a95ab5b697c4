/**
 * What a catalog holds, as plain data for people and programs. Reads control files and file lists,
 * never page data, and works without FFI.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
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

/** Which part of a catalog to describe. */
export interface DescribeOptions {
  readonly store: string;
  /** All instances when absent. */
  readonly instance?: string;
  /** All backups when absent; in either case. */
  readonly backupId?: string;
}

/** A catalog. JSON-able; times are ISO 8601 in UTC. */
export interface CatalogDescription {
  readonly store: string;
  readonly instances: readonly InstanceDescription[];
}

/** An instance. */
export interface InstanceDescription {
  readonly name: string;
  readonly system_identifier?: string;
  readonly wal_segment_size?: number;
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
  readonly id: string;
  readonly status: string;
  /**
   * Lines that draw the chain before the id: empty for a backup without parent, `├─ `, `│  └─ ` …
   */
  readonly branch: string;
  /** Ids from the target to the FULL backup, as far as they could be followed. */
  readonly chain: readonly string[];
  readonly mountable: boolean;
  /** It is not mountable, but is with `--force`. */
  readonly mountable_with_force: boolean;
  /** Why it cannot be mounted (without `--force`). */
  readonly reason?: string;
  readonly parent_id?: string;
  readonly mode?: string;
  readonly stream?: boolean;
  readonly compress_algorithm?: string;
  readonly compress_level?: number;
  /** Number of data files stored in this backup by their own compression. */
  readonly compression_mix?: Readonly<Record<string, number>>;
  readonly checksums?: boolean;
  readonly from_replica?: boolean;
  readonly program_version?: string;
  readonly server_version?: string;
  readonly timeline?: number;
  readonly start_lsn?: string;
  readonly stop_lsn?: string;
  readonly start_time?: string;
  readonly end_time?: string;
  readonly merge_time?: string;
  readonly recovery_time?: string;
  readonly expire_time?: string;
  readonly recovery_xid?: string;
  readonly data_bytes?: number;
  readonly wal_bytes?: number;
  readonly uncompressed_bytes?: number;
  readonly pgdata_bytes?: number;
  /** Entries of the file list, directories included. */
  readonly files?: number;
  readonly tablespaces: readonly TablespaceDescription[];
  readonly external_directories: readonly ExternalDirectoryDescription[];
  readonly note?: string;
}

/** A tablespace of a backup. `path` is where it was, when the backup tells. */
export interface TablespaceDescription {
  readonly oid: number;
  readonly path?: string;
}

/** External directory `number`; a mount shows it as `.pbkfs/external/<number>`. */
export interface ExternalDirectoryDescription {
  readonly number: number;
  readonly path: string;
}

const TABLESPACE_MAP_SIZE_MAX = 1 << 20;

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
    ...(backup.control === undefined ? {} : describeControl(backup.control)),
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
  const paths = new Map<number, string>();
  try {
    const bytes = hostFiles.read(
      `${backup.directory}/database/tablespace_map`,
      TABLESPACE_MAP_SIZE_MAX,
    );
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      const blank = line.indexOf(" ");
      if (blank > 0) paths.set(Number(line.slice(0, blank)), line.slice(blank + 1));
    }
  } catch (error) {
    // The original places are for information only.
    if (!(error instanceof OsError)) throw error;
  }
  return oids.map((oid) => ({ oid, ...defined({ path: paths.get(oid) }) }));
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
