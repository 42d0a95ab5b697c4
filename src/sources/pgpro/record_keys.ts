/**
 * Which backup a diff directory belongs to: the keys that its record has of a backup of
 * pg_probackup, and what may have become of the backup since.
 *
 * The keys are those that scripts around the existing tool read. `chain` (ids, oldest first),
 * `system_identifier` (of the cluster) and `list_sha256` (of the backup's file list) are additions;
 * a record of an older program may lack the last two. What the diff belongs to is the backup that
 * these and `backup_id` tell; store, instance and mount point say where it was last.
 *
 * @module
 */

import * as v from "valibot";
import { StateError } from "#src/errors.ts";
import {
  type Binding,
  boundElsewhere,
  type BoundSource,
  damagedBinding,
  requireSameKind,
  type SourceMark,
} from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import type { BackupIdentity } from "#src/pgprobackup/backup_identity.ts";
import { formatSourceName } from "../name.ts";

/** In records, which outlive the names that users type. */
export const RECORDED_KIND = "pg_probackup";

// Instance and id become parts of host paths.
const pathComponent = v.pipe(
  v.string(),
  v.regex(/^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u, "is not a plain name"),
);
const absolutePath = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.regex(/^\/[^\0]*$/u, "is not an absolute path"),
);

const BackupKeysSchema = v.object({
  instance_name: pathComponent,
  backup_id: pathComponent,
  chain: v.pipe(v.array(pathComponent), v.minLength(1), v.maxLength(100_000)),
  pbk_store_path: absolutePath,
  pbk_target_path: absolutePath,
  system_identifier: v.optional(v.pipe(v.string(), v.regex(/^\d{1,20}$/u, "is not a number"))),
  list_sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/u, "is not a SHA-256"))),
});

/** What a record says of the backup. */
export type BackupKeys = Readonly<v.InferOutput<typeof BackupKeysSchema>>;

/** A backup as it is to be mounted. */
export interface BackupToBind {
  readonly identity: BackupIdentity;
  readonly instance: string;
  readonly storePath: string;
  readonly mountPath: string;
  /** What is recorded already. */
  readonly former: BackupKeys | undefined;
}

/**
 * What a record says of the backup.
 *
 * @param path of the record, for messages
 * @throws {StateError} `bound-elsewhere` when it is over something else than a backup
 * @throws {FormatError} when it is damaged
 */
export function readBackupKeys(binding: Binding, path: string): BackupKeys {
  // A record of version 1 does not say what it is over: there were only backups.
  if (binding.format_version !== 1) {
    requireSameKind(binding, { kind: RECORDED_KIND, name: "backup", fingerprint: "", ids: [] });
  }
  const result = v.safeParse(BackupKeysSchema, binding);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damagedBinding(path, `key "${v.getDotPath(issue) ?? ""}" ${issue.message}`);
}

/**
 * Checks that a diff is mounted over the backup that was asked for.
 *
 * @param backupId as asked for; undefined for the bound one
 * @throws {StateError} `bound-elsewhere`
 */
export function checkBackupKeys(keys: BackupKeys, backupId: string | undefined): void {
  if (backupId !== undefined && !isSameBackupId(backupId, keys.backup_id)) {
    throw boundElsewhere("backup id", keys.backup_id, backupId);
  }
}

/** What tells a backup from others. */
export function backupMark(
  { identity, instance, storePath }: Pick<BackupToBind, "identity" | "instance" | "storePath">,
): SourceMark {
  const item = `${instance}/${identity.backupId}`;
  return {
    kind: RECORDED_KIND,
    name: formatSourceName({ kind: "pgpro", place: storePath, item }),
    fingerprint: `${identity.systemIdentifier ?? ""}:${identity.listDigest}`,
    ids: identity.chain,
  };
}

/** A backup as the source that a diff directory is bound to. */
export function backupSource(backup: BackupToBind): BoundSource {
  const { identity, instance, storePath, mountPath, former } = backup;
  const cluster = identity.systemIdentifier ?? former?.system_identifier;
  return {
    ...backupMark(backup),
    keys: {
      instance_name: instance,
      backup_id: identity.backupId,
      chain: [...identity.chain],
      pbk_store_path: storePath,
      pbk_target_path: mountPath,
      system_identifier: cluster,
      list_sha256: identity.listDigest,
    },
    accept: (binding, isForced) =>
      checkBoundBackup(readBackupKeys(binding, BINDING_FILE_NAME), identity, isForced),
  };
}

/**
 * Checks that a backup is the one that the diff was made over, wherever its catalog is now. Parents
 * that were merged since do not matter: what a backup shows is the same before and after.
 *
 * @param isForced accept a backup that was merged or changed since; never one of another cluster
 * @returns what was accepted, as in "backup ID was merged"
 * @throws {StateError} `bound-elsewhere` for another backup, `backup-changed` for one that was
 *   merged or changed since
 */
export function checkBoundBackup(
  keys: BackupKeys,
  backup: BackupIdentity,
  isForced: boolean,
): string | undefined {
  const { system_identifier: cluster, backup_id: id } = keys;
  if (!isSameBackupId(id, backup.backupId)) {
    throw boundElsewhere("backup id", id, backup.backupId);
  }
  if (
    cluster !== undefined && backup.systemIdentifier !== undefined &&
    cluster !== backup.systemIdentifier
  ) throw boundElsewhere("system identifier", cluster, backup.systemIdentifier);
  const change = changeOf(keys, backup);
  if (change === undefined || isForced) return change;
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

function changeOf(keys: BackupKeys, backup: BackupIdentity): string | undefined {
  const { chain, list_sha256: digest } = keys;
  const isSameList = digest === undefined || digest === backup.listDigest;
  if (isSameList && isSameBackup(chain, backup.chain)) return undefined;
  if (backup.mergeTime !== undefined && chain.length > backup.chain.length) {
    const time = new Date(backup.mergeTime * 1000).toISOString().replace(".000Z", "Z");
    return `was merged with its parents (${time})`;
  }
  if (!isSameList) return "has got another file list";
  return `has got another chain (${backup.chain.join(" ")} instead of ${chain.join(" ")})`;
}

/**
 * Whether a chain is what another one is, or becomes by a merge of parents. Both have the oldest
 * first.
 */
function isSameBackup(former: readonly string[], chain: readonly string[]): boolean {
  if (chain.length === 1 && former.length > 1) return false;
  const merged = former.length - chain.length;
  return merged >= 0 && chain.every((id, index) => isSameBackupId(id, former[merged + index]!));
}

/** Backup ids are compared without case. */
function isSameBackupId(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
