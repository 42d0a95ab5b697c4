/**
 * `backup.control`: what is known of one backup.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { canonicalBackupId, parseBackupId } from "./backup_id.ts";
import { parseKeyValues, type TextPlace } from "./key_values.ts";

/** How a backup was taken. */
export type BackupMode = "FULL" | "PAGE" | "DELTA" | "PTRACK";

const MODES: readonly BackupMode[] = ["FULL", "PAGE", "DELTA", "PTRACK"];

/** The status words of the format; `UNKNOWN` is a backup whose control file cannot be read. */
export const BACKUP_STATUSES = [
  "OK",
  "DONE",
  "ERROR",
  "RUNNING",
  "CORRUPT",
  "ORPHAN",
  "DELETING",
  "DELETED",
  "MERGING",
  "MERGED",
  "UNKNOWN",
] as const;

/** State of a backup in its control file. */
export type BackupStatus = typeof BACKUP_STATUSES[number];

/** One `backup.control`. Times are seconds since 1970 UTC, sizes bytes. */
export interface BackupControl {
  /** Whether all pages are stored, or by which means the changed ones were found. */
  readonly mode: BackupMode;
  /** As it stands in the file; never `UNKNOWN`. */
  readonly status: BackupStatus;
  /** The WAL that recovery needs is inside the backup. */
  readonly isStream: boolean;
  /** Taken from a standby. */
  readonly isFromReplica: boolean;
  /** Algorithm of this run; each file of the list has its own. */
  readonly compressAlgorithm: string;
  /** Level of this run, 0 to 9. */
  readonly compressLevel: number;
  /** Bytes of a data page; others than 8,192 cannot be opened. */
  readonly blockSize: number;
  /** Bytes of a page of the WAL. */
  readonly walBlockSize: number;
  /** The cluster has checksums of its data pages. */
  readonly hasDataChecksums: boolean;
  /** Of the pg_probackup that wrote the file, such as `2.5.15`. */
  readonly programVersion: string;
  /** Major version as text: `15`. */
  readonly serverVersion: string;
  /** Timeline that the cluster was on. */
  readonly timelineId: number;
  /** Where recovery begins, as PostgreSQL prints it: `0/2000028`. */
  readonly startLsn: string;
  /** Where the backup is consistent, in the same form. */
  readonly stopLsn: string;
  /** When the backup began; its id is made of this. */
  readonly startTime: number;
  /** When its last byte was written; absent while it runs. */
  readonly endTime?: number;
  /** When increments were merged into it, if ever. */
  readonly mergeTime?: number;
  /** Earliest time at which a server that recovers it is consistent. */
  readonly recoveryTime?: number;
  /** Until when it is pinned; absent when it is not. */
  readonly expireTime?: number;
  /** Transaction id that goes with `recoveryTime`, in decimal. */
  readonly recoveryXid?: string;
  /** The backup that it is being merged into; absent when no merge was begun. */
  readonly mergeDestId?: string;
  /** The backup that it builds on; absent in FULL backups. */
  readonly parentId?: string;
  /** Stored without WAL, and 4,096 for each directory; absent when unknown. */
  readonly dataBytes?: number;
  /** Of the WAL that recovery needs, inside the backup or in the archive. */
  readonly walBytes?: number;
  /** Like `dataBytes`, before compression and without page headers. */
  readonly uncompressedBytes?: number;
  /** Of the data directory when the backup began. */
  readonly pgdataBytes?: number;
  /** Original paths; element N-1 belongs to external directory N. */
  readonly externalDirectories: readonly string[];
  /** What was noted with `set-backup --note`. */
  readonly note?: string;
  /** CRC-32C of the file list; absent when it was not recorded. */
  readonly contentCrc?: number;
}

/**
 * Parses a control file. Unknown keys are passed over.
 *
 * @throws {FormatError} when a line is malformed or a needed key is missing or has an impossible
 *   value
 */
export function parseBackupControl(bytes: Uint8Array, place: TextPlace): BackupControl {
  const reader = new ControlReader(parseKeyValues(bytes, place), place);
  return {
    mode: reader.mode(),
    status: reader.status(),
    isStream: reader.boolean("stream"),
    isFromReplica: reader.has("from-replica") && reader.boolean("from-replica"),
    compressAlgorithm: (reader.text("compress-alg") ?? "none").toLowerCase(),
    compressLevel: reader.integer("compress-level") ?? 1,
    blockSize: reader.needed("block-size", reader.integer("block-size")),
    walBlockSize: reader.integer("xlog-block-size") ?? 8192,
    hasDataChecksums: reader.needed("checksum-version", reader.integer("checksum-version")) !== 0,
    programVersion: reader.needed("program-version", reader.text("program-version")),
    serverVersion: reader.needed("server-version", reader.text("server-version")),
    timelineId: reader.integer("timelineid") ?? 0,
    startLsn: reader.text("start-lsn") ?? "0/0",
    stopLsn: reader.text("stop-lsn") ?? "0/0",
    startTime: reader.needed("start-time", reader.time("start-time")),
    externalDirectories: reader.externalDirectories(),
    ...optional("endTime", reader.time("end-time")),
    ...optional("mergeTime", reader.time("merge-time")),
    ...optional("recoveryTime", reader.time("recovery-time")),
    ...optional("expireTime", reader.time("expire-time")),
    ...optional("recoveryXid", reader.text("recovery-xid")),
    ...optional("mergeDestId", reader.id("merge-dest-id")),
    ...optional("parentId", reader.id("parent-backup-id")),
    ...optional("dataBytes", reader.integer("data-bytes")),
    ...optional("walBytes", reader.integer("wal-bytes")),
    ...optional("uncompressedBytes", reader.integer("uncompressed-bytes")),
    ...optional("pgdataBytes", reader.integer("pgdata-bytes")),
    ...optional("note", reader.text("note")),
    // 0 says that no sum was recorded.
    ...optional("contentCrc", reader.integer("content-crc") || undefined),
  };
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined) {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}

class ControlReader {
  readonly #values: ReadonlyMap<string, string>;
  readonly #place: TextPlace;

  constructor(values: ReadonlyMap<string, string>, place: TextPlace) {
    this.#values = values;
    this.#place = place;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  text(key: string): string | undefined {
    return this.#values.get(key);
  }

  needed<Value>(key: string, value: Value | undefined): Value {
    if (value === undefined) this.#refuse(`no ${key}`);
    return value;
  }

  integer(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) this.#refuseValue(key);
    return value;
  }

  boolean(key: string): boolean {
    const text = this.needed(key, this.text(key)).toLowerCase();
    if (text === "true" || text === "on" || text === "yes" || text === "1") return true;
    if (text === "false" || text === "off" || text === "no" || text === "0") return false;
    return this.#refuseValue(key);
  }

  time(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)?(?:([+-]\d\d)(?::?(\d\d))?)?$/.exec(
      text,
    );
    if (!match) this.#refuseValue(key);
    const zone = match[3] === undefined ? "Z" : `${match[3]}:${match[4] ?? "00"}`;
    const milliseconds = Date.parse(`${match[1]}T${match[2]}${zone}`);
    // Times before 1970 cannot be ids.
    if (!(milliseconds >= 0)) this.#refuseValue(key);
    return milliseconds / 1000;
  }

  id(key: string): string | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    if (parseBackupId(text) === undefined) this.#refuseValue(key);
    return canonicalBackupId(text);
  }

  mode(): BackupMode {
    const text = this.needed("backup-mode", this.text("backup-mode")).toUpperCase();
    // A prefix is enough; P alone would be two modes, and the order of the list decides as in the
    // original.
    const mode = text === "" ? undefined : MODES.find((name) => name.startsWith(text));
    return mode ?? this.#refuseValue("backup-mode");
  }

  status(): BackupStatus {
    const text = this.needed("status", this.text("status")).toUpperCase();
    return BACKUP_STATUSES.find((name) => name === text) ?? this.#refuseValue("status");
  }

  externalDirectories(): readonly string[] {
    const paths = (this.text("external-dirs") ?? "").split(":").filter((path) => path !== "");
    return paths.sort(compareCodeUnits);
  }

  #refuse(problem: string): never {
    throw new FormatError(`Cannot read backup description: ${problem}`, this.#place);
  }

  #refuseValue(key: string): never {
    return this.#refuse(`${key} is "${this.text(key)}"`);
  }
}

/** The same order as bytewise for all text that has no characters beyond U+D7FF. */
function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
