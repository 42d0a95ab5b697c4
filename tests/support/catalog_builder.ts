/**
 * Takes backups of a running server into a catalog in pg_probackup's format, FULL and DELTA, with
 * their WAL.
 *
 * @module
 */

import {
  BackupWriter,
  createInstance,
  type StoredCompression,
} from "#tests/support/backup_writer.ts";
import type { PostgresServer } from "#tests/support/postgres.ts";
import { PsqlSession } from "#tests/support/psql_session.ts";

const PAGE_SIZE = 8192;

/** Directories whose content is not backed up. */
const EMPTY_DIRECTORIES = new Set([
  "pg_wal",
  "pg_stat_tmp",
  "pgsql_tmp",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_subtrans",
  "log",
]);

const LEFT_OUT = new Set([
  "postmaster.pid",
  "postmaster.opts",
  "recovery.signal",
  "standby.signal",
  "postgresql.auto.conf.tmp",
  "current_logfiles.tmp",
  "backup_label",
  "tablespace_map",
  "pg_internal.init",
]);

const DATA_FILE =
  /^(global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/[1-9]\d{0,9}(\.[1-9]\d{0,4})?$/;
const TEMPORARY_RELATION = /^t\d+_\d+/;
const FILENODE = /^(\d+)(_[a-z]+)?(\.\d+)?$/;

/** A backup that was taken. */
export interface TakenBackup {
  readonly id: string;
  readonly startSeconds: number;
  readonly startLsn: bigint;
  /** Paths of the backup's list. */
  readonly paths: ReadonlySet<string>;
  /** Contents of the files that are stored whole, to tell the unchanged ones. */
  readonly plainFiles: ReadonlyMap<string, Uint8Array>;
}

/** What is wanted of a backup. */
export interface BackupOptions {
  /** Backup that a DELTA is based on; a FULL backup without. */
  readonly parent?: TakenBackup;
  /** How the pages of a file are stored; zlib unless told. */
  readonly compressionOf?: (path: string) => StoredCompression;
  /**
   * Runs when all files are copied, before the backup ends: what it does must come back by
   * recovery.
   */
  readonly beforeStop?: () => Promise<void>;
}

function parseLsn(text: string): bigint {
  const [high = "", low = ""] = text.trim().split("/");
  return BigInt(`0x${high}`) << 32n | BigInt(`0x${low}`);
}

function walSegmentName(timeline: number, segment: bigint, segmentBytes: bigint): string {
  const perFile = 0x1_0000_0000n / segmentBytes;
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, "0");
  return hex(BigInt(timeline)) + hex(segment / perFile) + hex(segment % perFile);
}

/** The entries of a data directory that belong into a backup, parents first. */
function* backupEntries(root: string, below = ""): Generator<{ path: string; isDir: boolean }> {
  const entries = [...Deno.readDirSync(`${root}/${below}`)].map((entry) => entry.name).sort();
  const all = new Set(entries);
  for (const name of entries) {
    const node = FILENODE.exec(name)?.[1];
    const isUnloggedPart = node !== undefined && all.has(`${node}_init`) &&
      !name.startsWith(`${node}_init`);
    const isLeftOut = name.startsWith(".") || LEFT_OUT.has(name) || isUnloggedPart ||
      TEMPORARY_RELATION.test(name);
    if (isLeftOut) continue;
    const path = below === "" ? name : `${below}/${name}`;
    // Links of pg_tblspc are followed, as the tool does.
    const status = Deno.statSync(`${root}/${path}`);
    if (!status.isDirectory && !status.isFile) continue;
    yield { path, isDir: status.isDirectory };
    if (status.isDirectory && !EMPTY_DIRECTORIES.has(name)) yield* backupEntries(root, path);
  }
}

/** A catalog with one instance, filled from one running server. */
export class CatalogBuilder {
  readonly catalog: string;
  readonly #instanceDirectory: string;
  readonly #server: PostgresServer;
  readonly #segmentBytes: bigint;
  #lastStartSeconds = 0;

  private constructor(
    catalog: string,
    instanceDirectory: string,
    server: PostgresServer,
    segmentBytes: bigint,
  ) {
    this.catalog = catalog;
    this.#instanceDirectory = instanceDirectory;
    this.#server = server;
    this.#segmentBytes = segmentBytes;
  }

  /** Makes an empty catalog for `server`. */
  static async create(
    catalog: string,
    server: PostgresServer,
    instance = "main",
  ): Promise<CatalogBuilder> {
    const facts = await server.sql(
      "select system_identifier from pg_control_system(); " +
        "select setting from pg_settings where name = 'wal_segment_size'",
    );
    const [systemIdentifier = "", segmentBytes = ""] = facts.split("\n");
    const config = { systemIdentifier, walSegmentBytes: Number(segmentBytes) };
    const directory = createInstance(catalog, instance, config);
    return new CatalogBuilder(catalog, directory, server, BigInt(segmentBytes));
  }

  /** Takes a backup with the WAL it needs (stream mode). */
  async backup(options: BackupOptions = {}): Promise<TakenBackup> {
    const { parent } = options;
    // Ids are made of the start time in seconds: two backups in one second get following ones.
    const startSeconds = Math.max(Math.floor(Date.now() / 1000), this.#lastStartSeconds + 1);
    this.#lastStartSeconds = startSeconds;
    const writer = new BackupWriter(this.#instanceDirectory, {
      mode: parent === undefined ? "FULL" : "DELTA",
      ...(parent === undefined ? {} : { parentId: parent.id }),
      startSeconds,
      serverVersion: this.#server.version,
      checksumVersion: 1,
      compression: "zlib",
    });
    const session = new PsqlSession(this.#server.connection);
    const [start, stop] = this.#server.version >= 15
      ? ["pg_backup_start('test', true)", "pg_backup_stop(false)"]
      : ["pg_start_backup('test', true, false)", "pg_stop_backup(false, false)"];
    const startLsn = (await session.run(`select ${start}`)).trim();
    const copied = this.#copyFiles(writer, options);
    await options.beforeStop?.();
    const ended = JSON.parse(await session.run(`select row_to_json(s) from ${stop} s`)) as {
      lsn: string;
      labelfile: string;
      spcmapfile: string | null;
    };
    const databases = await session.run(
      `select json_build_object('dbOid', oid::text, 'datname', datname) from pg_database
        where not datistemplate order by oid`,
    );
    await session.close();
    const text = (content: string) => new TextEncoder().encode(content);
    writer.addPlainFile("backup_label", 0o600, text(ended.labelfile));
    if (ended.spcmapfile !== null && ended.spcmapfile !== "") {
      writer.addPlainFile("tablespace_map", 0o600, text(ended.spcmapfile));
    }
    writer.addPlainFile("database_map", 0o600, text(databases));
    this.#copyWal(writer, parseLsn(startLsn), parseLsn(ended.lsn));
    writer.finish({ startLsn, stopLsn: ended.lsn });
    return { id: writer.id, startSeconds, startLsn: parseLsn(startLsn), ...copied };
  }

  #copyFiles(
    writer: BackupWriter,
    { parent, compressionOf = () => "zlib" }: BackupOptions,
  ): Pick<TakenBackup, "paths" | "plainFiles"> {
    const root = this.#server.dataDirectory;
    const paths = new Set<string>();
    const plainFiles = new Map<string, Uint8Array>();
    for (const { path, isDir } of backupEntries(root)) {
      const mode = (Deno.statSync(`${root}/${path}`).mode ?? 0) & 0o7777;
      paths.add(path);
      if (isDir) {
        writer.addDirectory(path, mode);
        continue;
      }
      if (path === "global/pg_control") continue;
      const content = Deno.readFileSync(`${root}/${path}`);
      if (DATA_FILE.test(path)) {
        const isStored = parent?.paths.has(path)
          ? deltaFilter(content, parent.startLsn)
          : () => true;
        writer.addDataFile(path, mode, content, { compression: compressionOf(path), isStored });
      } else {
        const before = parent?.plainFiles.get(path);
        writer.addPlainFile(path, mode, content, before !== undefined && equal(before, content));
        plainFiles.set(path, content);
      }
    }
    // Last, as the tool does: everything copied before is then covered by its checkpoint.
    const control = Deno.readFileSync(`${root}/global/pg_control`);
    writer.addPlainFile("global/pg_control", 0o600, control);
    return { paths, plainFiles };
  }

  #copyWal(writer: BackupWriter, startLsn: bigint, stopLsn: bigint): void {
    const last = (stopLsn - 1n) / this.#segmentBytes;
    for (let segment = startLsn / this.#segmentBytes; segment <= last; segment++) {
      const name = walSegmentName(1, segment, this.#segmentBytes);
      const content = Deno.readFileSync(`${this.#server.dataDirectory}/pg_wal/${name}`);
      writer.addPlainFile(`pg_wal/${name}`, 0o600, content);
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Picks the pages that a DELTA backup stores: changed since the parent's start, or zeroed. */
function deltaFilter(content: Uint8Array, parentStartLsn: bigint): (block: number) => boolean {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  return (block) => {
    const at = block * PAGE_SIZE;
    const lsn = BigInt(view.getUint32(at, true)) << 32n | BigInt(view.getUint32(at + 4, true));
    return lsn === 0n || lsn >= parentStartLsn;
  };
}
