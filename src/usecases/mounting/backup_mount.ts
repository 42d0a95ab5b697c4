/**
 * A mount from beginning to end, in the process that serves it: check, lock, bind, mount, serve,
 * settle, free.
 *
 * The order keeps every failure harmless: nothing is written before the diff directory is known to
 * be ours and free, and the binding says what is done to it before it is done.
 *
 * @module
 */

import { nativeCodecs } from "#src/codecs/codecs.ts";
import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import { launchWorkers } from "#src/mount/mount.ts";
import { prepareMountPoint, resolveMountPoint } from "#src/mount/mount_point.ts";
import type { WorkerPool } from "#src/mount/worker_pool.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding.ts";
import {
  type DiffDirectory,
  openDiffDirectory,
  readBinding,
  realPathOfMissing,
} from "#src/overlay/diff_directory.ts";
import { identifyBackup } from "#src/pgprobackup/backup_identity.ts";
import type { Chain } from "#src/pgprobackup/chain.ts";
import { describeChainChange } from "#src/pgprobackup/chain_change.ts";
import { createPageCounterMemory } from "#src/pgprobackup/page_counters.ts";
import { openChain, type PgProbackupTree } from "#src/pgprobackup/pgprobackup_tree.ts";
import {
  type BackupKeys,
  backupSource,
  type BackupToBind,
  checkBackupKeys,
  readBackupKeys,
} from "./sources/backup_binding.ts";
import type { BackupDescription } from "./sources/backup_description.ts";
import { type BackupPlace, findBackupToMount } from "./sources/bound_backup.ts";
import { type CatalogLock, lockCatalog } from "./sources/catalog_lock.ts";
import { prepareOverlay, secondsBeforeMount, serveOverDiff, settleDiff } from "./diff_life.ts";
import { refuseServedMount } from "./control/served_mount.ts";
import { type MountReport, type MountVoices, runMountProcess } from "./mount_process.ts";
import { openMountLog } from "./mount_log.ts";
import { type BackupMountRequest, LOG_FILE_NAME, type Owner } from "./mount_request.ts";
import { WAIT_LOG } from "./wait_log.ts";
import { workerUrl } from "../threads.ts";
import { PROGRAM_VERSION } from "../program_version.ts";

const log = logger("mount");

/**
 * Mounts a backup and serves it until the mount has ended.
 *
 * @param report is told how far it is
 * @throws {Failure}
 */
export function runBackupMount(request: BackupMountRequest, report: MountReport): Promise<void> {
  return runMountProcess(
    request.mountPath,
    report,
    (voices) => new BackupMount(request, voices),
  );
}

/** The steps of one mount. */
class BackupMount {
  readonly #request: BackupMountRequest;
  readonly #voices: MountVoices;
  #sink: LogSink | undefined;
  #catalogLock: CatalogLock | undefined;
  /** Target first; empty until it is open. */
  #chain: Chain = [];
  /** Absolute, without links. */
  #storePath = "";

  constructor(request: BackupMountRequest, voices: MountVoices) {
    this.#request = request;
    this.#voices = voices;
  }

  async run(): Promise<void> {
    // The caller's umask counts, not that of this process.
    host.setUmask(0);
    host.raiseOpenFileLimit();
    const { workerCount } = this.#request;
    // First of all: it loads its code while everything else is looked at.
    const pool = launchWorkers({
      workerUrl: workerUrl(),
      workers: workerCount,
      ...WAIT_LOG,
      onFailure: (detail) => this.#logFailure(detail),
      onReadOnly: () =>
        log.error("disk of the diff is read-only: changes are refused", {
          diff: this.#request.diffPath,
        }),
    });
    try {
      await this.#runWith(pool);
    } catch (error) {
      pool.terminate();
      throw error;
    }
  }

  async #runWith(pool: WorkerPool): Promise<void> {
    if (!this.#isLogInDiff) this.#openLog(this.#request.log.path);
    const mountPath = resolveMountPoint(this.#request.mountPath);
    const { card } = this.#voices;
    card.update({ mount_path: mountPath });
    const startSeconds = secondsBeforeMount();
    const diff = this.#openDiff(mountPath);
    card.update({ diff_dir: diff.path });
    try {
      // Not before it is known that the directories do not overlap: a dead mount there is removed.
      refuseServedMount(mountPath);
      const isRepaired = await prepareMountPoint(mountPath);
      const description = await this.#prepare(diff);
      if (isRepaired) log.warn("dead mount removed", { mnt: mountPath });
      host.changeDirectory("/");
      this.#voices.report.started?.(this.#sink?.fd);
      await this.#mountAndServe(diff, description, pool);
      card.update({ state: "settling" });
      settleDiff(diff, startSeconds, this.#request.skipFsync);
    } catch (error) {
      diff.abandon();
      throw error;
    } finally {
      this.#catalogLock?.release();
    }
  }

  /** Opens the diff directory, and finds out where the catalog is. */
  #openDiff(mountPath: string): DiffDirectory {
    const { diffPath, backupId, force } = this.#request;
    this.#storePath = realPathOfMissing(this.#request.storePath ?? rememberedStore(diffPath));
    return openDiffDirectory(diffPath, {
      sourcePlaces: [{ what: "backup store", path: this.#storePath }],
      mountPath,
      force,
      checkBinding: (binding) =>
        checkBackupKeys(readBackupKeys(binding, recordPath(diffPath)), backupId),
    });
  }

  /**
   * A worker says what is wrong with a file; whether its backup is still the one that was opened is
   * seen here.
   */
  #logFailure(detail: string): void {
    const cause = describeChainChange(this.#chain, detail);
    log.error("request failed", cause === undefined ? { detail } : { detail, cause });
  }

  /** Waits until the log has left this process. */
  async flushLog(): Promise<void> {
    await this.#sink?.flush();
  }

  get #isLogInDiff(): boolean {
    return this.#request.log.sink === "file" && this.#request.log.path === undefined;
  }

  #openLog(path: string | undefined): void {
    this.#sink = openMountLog({ ...this.#request.log, path });
  }

  /**
   * Opens the backup, binds the diff directory to it and writes what has to be there before the
   * mount.
   */
  async #prepare(diff: DiffDirectory): Promise<BackupDescription> {
    const request = this.#request;
    const owner = chooseOwner(request.owner, diff);
    const bound = diff.binding === undefined
      ? undefined
      : readBackupKeys(diff.binding, recordPath(diff.path));
    const { instance, chain } = this.#findBackup(bound);
    const lower = openChain(chain, {
      mountPath: request.relativeTablespaces ? undefined : diff.mountPath,
      owner,
      openSource: openNativeSource,
      codecs: nativeCodecs(),
    });
    this.#chain = chain;
    try {
      const identity = await identifyBackup(instance, chain);
      const change = this.#bind(diff, {
        identity,
        instance: instance.name,
        storePath: this.#storePath,
        mountPath: diff.mountPath,
        noWal: request.noWal,
        former: bound,
      });
      if (this.#isLogInDiff) this.#openLog(`${diff.controlPath}/${LOG_FILE_NAME}`);
      if (change !== undefined) log.warn("backup has changed, mounted by force", { change });
      else this.#logChain(bound?.chain, identity.chain);
      this.#logMissingLock();
      return this.#prepareTree(diff, instance.name, lower);
    } finally {
      lower.close();
    }
  }

  /** Finds the backup, and locks it unless told not to. */
  #findBackup(bound: BackupKeys | undefined): BackupPlace {
    const { storePath, instance, backupId, force } = this.#request;
    const find = () =>
      findBackupToMount({
        store: this.#storePath,
        isStoreRemembered: storePath === undefined,
        instance,
        backupId,
        force,
        bound,
      });
    if (!this.#request.lockCatalog) return find();
    const { lock, place } = lockCatalog(find);
    this.#catalogLock = lock;
    return place;
  }

  /** @returns how the backup has changed, when that was forgiven */
  #bind(diff: DiffDirectory, backup: BackupToBind): string | undefined {
    const change = diff.bind({
      source: backupSource(backup),
      extendedAttributes: this.#request.extendedAttributes,
      programVersion: PROGRAM_VERSION,
    });
    if (this.#request.skipFsync) diff.markDirty();
    return change;
  }

  #logChain(former: readonly string[] | undefined, chain: readonly string[]): void {
    if (former !== undefined && former.join() !== chain.join()) {
      log.warn("chain of the backup has changed since the last mount", { former, chain });
    }
  }

  #logMissingLock(): void {
    const reason = this.#catalogLock?.refusal;
    if (reason === undefined) return;
    log.warn("chain not locked: pg_probackup merge, delete or retention can take it away", {
      reason,
    });
  }

  #prepareTree(
    diff: DiffDirectory,
    instance: string,
    lower: PgProbackupTree,
  ): BackupDescription {
    const { owner } = this.#request;
    const rootOwner = owner === undefined ? undefined : lower.opened.owner;
    return {
      kind: "backup",
      instance,
      backup: lower.opened,
      pageCounters: createPageCounterMemory(),
      overlay: prepareOverlay(diff, lower, this.#request, rootOwner),
    };
  }

  #mountAndServe(
    diff: DiffDirectory,
    description: BackupDescription,
    pool: WorkerPool,
  ): Promise<void> {
    const { instance, pageCounters, overlay: { extendedAttributes } } = description;
    const backupId = description.backup.chain[0]!.id;
    return serveOverDiff({
      diff,
      description,
      pool,
      source: {
        fsname: `pbkfs:${instance}/${backupId}`,
        facts: { instance, backup_id: backupId },
        pageCounters,
      },
      posixAcls: extendedAttributes,
      request: this.#request,
      voices: this.#voices,
    });
  }
}

function recordPath(diffPath: string): string {
  return `${diffPath}/${BINDING_FILE_NAME}`;
}

/** Where the catalog of a bound diff directory was last. */
function rememberedStore(diffPath: string): string {
  const binding = readBinding(diffPath);
  if (binding !== undefined) return readBackupKeys(binding, recordPath(diffPath)).pbk_store_path;
  throw new UsageError(
    "Cannot mount: a diff directory that was not mounted before needs a catalog",
    { hint: "Give the catalog", option: "storePath" },
  );
}

/**
 * Who owns the files: who was asked for; else for root the owner of the mount before, or
 * (undefined) of the backup; an ordinary user cannot give files away.
 */
function chooseOwner(asked: Owner | undefined, diff: DiffDirectory): Owner | undefined {
  if (asked !== undefined) return asked;
  const user = { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() };
  if (user.uid !== 0) return user;
  if (diff.binding === undefined) return undefined;
  const root = new host.HostStat();
  if (host.statAt(host.At.FDCWD, `${diff.path}/data`, root) < 0) return undefined;
  return { uid: root.uid, gid: root.gid };
}
