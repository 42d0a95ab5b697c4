/**
 * A backup of pg_probackup for a mount: found as asked for, or as the diff directory is bound.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { logger } from "#src/log/logger.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { type DiffDirectory, readBinding } from "#src/overlay/diff_directory.ts";
import { type DiffPlace, realPathOfMissing } from "#src/overlay/diff_place.ts";
import { describeChainChange } from "#src/pgprobackup/chain_change.ts";
import { openPgproSource, type PgproSource } from "#src/sources/pgpro/pgpro_source.ts";
import {
  type BackupKeys,
  backupSource,
  checkBackupKeys,
  readBackupKeys,
} from "#src/sources/pgpro/record_keys.ts";
import type { WritableRequest } from "./mount_request.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import type { MountToOpen, OpenedSource, SourceToMount } from "./source_to_mount.ts";

const log = logger("mount");

/** A backup to be mounted, as asked for. */
export interface BackupRequest {
  /** Undefined: as the diff directory remembers. */
  readonly storePath: string | undefined;
  readonly instance: string | undefined;
  readonly backupId: string | undefined;
  /** Hold pg_probackup's read lock on the chain. */
  readonly lockCatalog: boolean;
  /** Links to tablespaces do not name the mount point. */
  readonly relativeTablespaces: boolean;
}

/**
 * A backup as what a mount shows.
 *
 * @param writable the diff directory that remembers what is not asked for; undefined for a
 *   read-only mount
 */
export function backupToMount(
  request: BackupRequest,
  writable: WritableRequest | undefined,
): SourceToMount {
  return new BackupToMount(request, writable);
}

class BackupToMount implements SourceToMount {
  readonly #request: BackupRequest;
  readonly #writable: WritableRequest | undefined;

  constructor(request: BackupRequest, writable: WritableRequest | undefined) {
    this.#request = request;
    this.#writable = writable;
  }

  places(): readonly DiffPlace[] {
    return [{ what: "backup store", path: this.#storePath() }];
  }

  checkBinding(binding: Binding): void {
    checkBackupKeys(this.#keysOf(binding), this.#request.backupId);
  }

  async open({ mountPath, diff }: MountToOpen): Promise<OpenedSource> {
    const { storePath, instance, backupId, lockCatalog, relativeTablespaces } = this.#request;
    const former = diff?.binding === undefined ? undefined : this.#keysOf(diff.binding);
    const owner = chooseOwner(this.#writable?.postgres.owner, diff);
    const store = this.#storePath();
    const source = await openPgproSource({
      store,
      isStoreRemembered: storePath === undefined,
      instance,
      backupId,
      force: this.#writable?.force === true,
      bound: former,
      lockCatalog,
      owner,
      mountPath: relativeTablespaces ? undefined : mountPath,
    });
    const { identity } = source;
    return {
      source,
      bound: () =>
        Promise.resolve(
          backupSource({
            identity,
            instance: source.instance,
            storePath: store,
            mountPath,
            former,
          }),
        ),
      showsOwner: true,
      facts: { instance: source.instance, backup_id: identity.backupId },
      pageCounters: source.description.pageCounters,
      logFindings: () => logFindings(source, former?.chain),
      explainFailure: (detail) => describeChainChange(source.chain, detail),
    };
  }

  /** Absolute, without links. */
  #storePath(): string {
    return realPathOfMissing(this.#request.storePath ?? this.#rememberedStore());
  }

  /** Where the catalog of a bound diff directory was last. */
  #rememberedStore(): string {
    const binding = this.#writable && readBinding(this.#writable.diffPath);
    if (binding !== undefined) return this.#keysOf(binding).pbk_store_path;
    throw new UsageError(
      "Cannot mount: a diff directory that was not mounted before needs a catalog",
      { hint: "Give the catalog", option: "storePath" },
    );
  }

  #keysOf(binding: Binding): BackupKeys {
    return readBackupKeys(binding, `${this.#writable?.diffPath}/${BINDING_FILE_NAME}`);
  }
}

function logFindings(
  { identity: { chain }, lockRefusal: reason }: PgproSource,
  former: readonly string[] | undefined,
): void {
  if (former !== undefined && former.join() !== chain.join()) {
    log.warn("chain of the backup has changed since the last mount", { former, chain });
  }
  if (reason === undefined) return;
  log.warn("chain not locked: pg_probackup merge, delete or retention can take it away", {
    reason,
  });
}

/**
 * Who owns the files: who was asked for; else for root the owner of the mount before, or
 * (undefined) of the backup; an ordinary user cannot give files away.
 */
function chooseOwner(asked: Owner | undefined, diff: DiffDirectory | undefined): Owner | undefined {
  if (asked !== undefined) return asked;
  const user = { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() };
  if (user.uid !== 0) return user;
  if (diff?.binding === undefined) return undefined;
  const root = new host.HostStat();
  if (host.lstat(`${diff.path}/data`, root) < 0) return undefined;
  return { uid: root.uid, gid: root.gid };
}
