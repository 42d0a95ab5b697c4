/**
 * The binding record of a diff directory, `.pbkfs-binding.json`: what the diff belongs to.
 *
 * A diff holds blocks relative to one backup; over any other backup it would be garbage. The record is written
 * before the first change and read, as hostile input, at every mount.
 *
 * @module
 */

import * as v from "valibot";
import { FormatError, StateError } from "#src/errors.ts";

/** Name of the record in the diff directory. */
export const BINDING_FILE_NAME = ".pbkfs-binding.json";

/** The only version of the diff format there is. */
export const DIFF_FORMAT_VERSION = 1;

/** Bytes of {@link Binding.nonce}. */
export const NONCE_SIZE = 16;

const PATH_LENGTH_MAX = 4096;
const CHAIN_LENGTH_MAX = 100_000;

// Instance and id become parts of host paths.
const pathComponent = v.pipe(
  v.string(),
  v.regex(/^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u, "is not a plain name"),
);
const absolutePath = v.pipe(
  v.string(),
  v.maxLength(PATH_LENGTH_MAX),
  v.regex(/^\/[^\0]*$/u, "is not an absolute path"),
);
const unixSeconds = v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const shortText = v.pipe(v.string(), v.maxLength(1024));

const BindingSchema = v.object({
  format_version: v.literal(DIFF_FORMAT_VERSION),
  binding_id: v.pipe(v.string(), v.uuid()),
  nonce: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/u, "is not 32 hexadecimal digits")),
  instance_name: pathComponent,
  backup_id: pathComponent,
  chain: v.pipe(v.array(pathComponent), v.minLength(1), v.maxLength(CHAIN_LENGTH_MAX)),
  pbk_store_path: absolutePath,
  pbk_target_path: absolutePath,
  created_at: unixSeconds,
  last_used_at: unixSeconds,
  owner_pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  owner_host: shortText,
  pbkfs_version: shortText,
  state: v.picklist(["Active", "Released", "Stale"]),
  no_wal_used: v.optional(v.boolean(), false),
  xattrs_used: v.optional(v.boolean(), false),
  system_identifier: v.optional(v.pipe(v.string(), v.regex(/^\d{1,20}$/u, "is not a number"))),
  list_sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/u, "is not a SHA-256"))),
});

/**
 * The record. Keys are those that scripts around the existing tool read; `format_version`, `chain` (ids, oldest
 * first) and `nonce` (16 random bytes in hexadecimal, made once, by which the diff's own files are recognised)
 * are additions, and so are `system_identifier` (of the cluster) and `list_sha256` (of the backup's file list),
 * which records of older programs do not have. What the diff belongs to is the backup that these and `backup_id`
 * tell; store, instance and mount point say where it was last. Times are Unix seconds.
 */
export type Binding = Readonly<v.InferOutput<typeof BindingSchema>>;

/** A backup that a diff directory is, or is to be, bound to. */
export interface BoundBackup {
  /** Of the cluster; undefined when it is not known. */
  readonly systemIdentifier: string | undefined;
  readonly backupId: string;
  /** Backup ids of the chain, oldest first. */
  readonly chain: readonly string[];
  /** SHA-256 of the backup's file list, hexadecimal. */
  readonly listDigest: string;
  /** When it became what it is by a merge, in Unix seconds. */
  readonly mergeTime: number | undefined;
}

/** Formats the record as the pretty JSON text of the file. */
export function formatBinding(binding: Binding): string {
  return JSON.stringify(binding, null, 2) + "\n";
}

/**
 * Parses the record.
 *
 * @throws {StateError} `foreign-diff` when another tool made it
 * @throws {FormatError} when it is damaged, or `unsupported` when a newer program made it
 */
export function parseBinding(text: string, path: string): Binding {
  const value = parseJsonObject(text, path);
  const version = value["format_version"];
  if (version === undefined) throw foreignBinding(value, path);
  if (version !== DIFF_FORMAT_VERSION) {
    throw new FormatError(
      `Cannot use diff directory: format version ${JSON.stringify(version)} is not supported, ` +
        `supported is ${DIFF_FORMAT_VERSION}`,
      { code: "unsupported", path, hint: "Use the version that made the diff directory" },
    );
  }
  const result = v.safeParse(BindingSchema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damaged(path, `key "${v.getDotPath(issue) ?? ""}" ${issue.message}`);
}

function parseJsonObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, "it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw damaged(path, "it is not a JSON object");
  }
  return value as Record<string, unknown>;
}

function damaged(path: string, detail: string, cause?: unknown): FormatError {
  return new FormatError(`Cannot parse binding of the diff directory: ${detail}`, {
    path,
    hint: "Give another diff directory, or empty this one",
    option: "diffPath",
    cause,
  });
}

function foreignBinding(value: Record<string, unknown>, path: string): StateError {
  const version = value["pbkfs_version"];
  const maker = typeof version === "string" ? ` (pbkfs_version ${JSON.stringify(version)})` : "";
  return new StateError(
    "foreign-diff",
    `Cannot use diff directory: "${path}" has no format_version, it was made by another tool${maker}`,
    { hint: "Give another diff directory; this one is left untouched", option: "diffPath" },
  );
}

/** Whether two backup ids are the same; ids are compared without case. */
export function isSameBackupId(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/**
 * Checks that a diff may be mounted, and over the backup that was asked for.
 *
 * @param backupId as asked for; undefined for the bound one
 * @throws {StateError} `bound-elsewhere` or `no-wal-used`
 */
export function checkBinding(binding: Binding, backupId: string | undefined): void {
  if (backupId !== undefined && !isSameBackupId(backupId, binding.backup_id)) {
    throw boundElsewhere("backup id", binding.backup_id, backupId);
  }
  if (binding.no_wal_used) {
    throw new StateError(
      "no-wal-used",
      "Cannot mount: the diff directory was previously mounted with --no-wal and cannot be reused",
      { hint: "Give a fresh diff directory, or empty this one", option: "diffPath" },
    );
  }
}

/**
 * Checks that a backup is the one that the diff was made over, wherever its catalog is now. Parents that were merged
 * since do not matter: what a backup shows is the same before and after.
 *
 * @param force accept a backup that was merged or changed since; never one of another cluster
 * @returns what was accepted, as in "backup ID was merged"
 * @throws {StateError} `bound-elsewhere` for another backup, `backup-changed` for one that was merged or changed since
 */
export function checkBoundBackup(
  binding: Binding,
  backup: BoundBackup,
  force: boolean,
): string | undefined {
  const { system_identifier: cluster, backup_id: id } = binding;
  if (!isSameBackupId(id, backup.backupId)) {
    throw boundElsewhere("backup id", id, backup.backupId);
  }
  if (
    cluster !== undefined && backup.systemIdentifier !== undefined &&
    cluster !== backup.systemIdentifier
  ) throw boundElsewhere("system identifier", cluster, backup.systemIdentifier);
  const change = changeOf(binding, backup);
  if (change === undefined || force) return change;
  throw new StateError(
    "backup-changed",
    `Cannot mount: backup ${id} ${change} since the diff directory was made over it`,
    {
      hint:
        "After a sound merge it can be mounted all the same, with all that was written; after " +
        "any other change what was written may not fit. Or give another diff directory",
      option: "force",
    },
  );
}

function changeOf(binding: Binding, backup: BoundBackup): string | undefined {
  const { chain, list_sha256: digest } = binding;
  const isSameList = digest === undefined || digest === backup.listDigest;
  if (isSameList && isSameBackup(chain, backup.chain)) return undefined;
  if (backup.mergeTime !== undefined && chain.length > backup.chain.length) {
    const time = new Date(backup.mergeTime * 1000).toISOString().replace(".000Z", "Z");
    return `was merged with its parents (${time})`;
  }
  if (!isSameList) return "has got another file list";
  return `has got another chain (${backup.chain.join(" ")} instead of ${chain.join(" ")})`;
}

/** Whether a chain is what another one is, or becomes by a merge of parents. Both have the oldest first. */
function isSameBackup(former: readonly string[], chain: readonly string[]): boolean {
  if (chain.length === 1 && former.length > 1) return false;
  const merged = former.length - chain.length;
  return merged >= 0 && chain.every((id, index) => isSameBackupId(id, former[merged + index]!));
}

function boundElsewhere(what: string, expected: string, actual: string): StateError {
  return new StateError(
    "bound-elsewhere",
    `binding violation: expected ${what} "${expected}", got "${actual}". ` +
      "The diff directory is already bound",
    { hint: "Mount what it is bound to, or give another diff directory", option: "diffPath" },
  );
}
