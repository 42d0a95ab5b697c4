/**
 * A mount from beginning to end, in the process that serves it: check, lock, bind, mount, serve, settle, free.
 *
 * The order keeps every failure harmless: nothing is written before the diff directory is known to be ours and free,
 * and the binding says what is done to it before it is done.
 *
 * @module
 */

import { removeFile } from "#src/io/files/whole_file.ts";
import { nativeCodecs } from "#src/codecs/mod.ts";
import { UsageError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { openHostFileSource } from "#src/io/host_file_source.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import {
  launchWorkers,
  type MountedFileSystem,
  mountFileSystem,
  type PassthroughState,
  prepareMountPoint,
  resolveMountPoint,
  type WorkerPool,
} from "#src/mount/mod.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding.ts";
import {
  type DiffDirectory,
  openDiffDirectory,
  readBinding,
  realPathOfMissing,
} from "#src/overlay/diff_directory.ts";
import { prepareDiffTree, settleDiffTree } from "#src/overlay/diff_tree.ts";
import { replaceTextFile } from "#src/overlay/durable_file.ts";
import { openOverlay } from "#src/overlay/overlay.ts";
import { createSharedState } from "#src/overlay/shared_state.ts";
import {
  type Chain,
  createPageCounterMemory,
  describeChainChange,
  identifyBackup,
  openChain,
  type PgProbackupTree,
} from "#src/pgprobackup/mod.ts";
import { chooseAllowOther } from "./allow_other.ts";
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
import { refuseServedMount } from "./control/served_mount.ts";
import { formatPidRecord, PID_FILE_NAME, STAT_FILE_NAME } from "./control/worker_files.ts";
import { type MountReport, type MountVoices, runMountProcess } from "./mount_process.ts";
import { releaseMemoryWhenIdle } from "./idle_memory.ts";
import { openMountLog } from "./mount_log.ts";
import { unsettled } from "./unsettled.ts";
import { type BackupMountRequest, LOG_FILE_NAME, type Owner } from "./mount_request.ts";
import { BackupStatistics } from "./mount_statistics.ts";
import { serveUntilEnd, showMounted } from "./live_mount.ts";
import { WAIT_LOG } from "./wait_log.ts";
import { applySettings } from "./server_settings.ts";
import { workerUrl } from "../threads.ts";
import { PROGRAM_VERSION } from "../program_version.ts";

/** Directory of a data directory whose changes `noWal` forgets. */
const WAL_DIRECTORY = "pg_wal";

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
      ...(workerCount === undefined ? {} : { workers: workerCount }),
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
    // Of the host's coarser clock, to be on the safe side.
    const startSeconds = Math.floor(Date.now() / 1000) - 1;
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
      this.#settle(diff, startSeconds);
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

  /** A worker says what is wrong with a file; whether its backup is still the one that was opened is seen here. */
  #logFailure(detail: string): void {
    const cause = describeChainChange(this.#chain, detail);
    log.error("request failed", { detail, ...(cause === undefined ? {} : { cause }) });
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

  /** Opens the backup, binds the diff directory to it and writes what has to be there before the mount. */
  async #prepare(diff: DiffDirectory): Promise<BackupDescription> {
    const request = this.#request;
    const owner = chooseOwner(request.owner, diff);
    const bound = diff.binding === undefined
      ? undefined
      : readBackupKeys(diff.binding, recordPath(diff.path));
    const { instance, chain } = this.#findBackup(bound);
    const lower = openChain(chain, {
      mountPath: request.relativeTablespaces ? undefined : diff.mountPath,
      ...(owner === undefined ? {} : { owner }),
      openSource: openHostFileSource,
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
    const request = this.#request;
    const volatileDirectories = request.noWal ? [WAL_DIRECTORY] : [];
    prepareDiffTree({ diffPath: diff.path, lower, nonce: diff.nonce, volatileDirectories });
    chownRoot(diff, request.owner === undefined ? undefined : lower.opened.owner);
    const overlay = {
      diffPath: diff.path,
      nonce: diff.nonce,
      shared: createSharedState(),
      skipFsync: request.skipFsync,
      materializeOnRead: request.materializeOnRead,
      wholeCopyBytesMax: request.wholeCopyBytesMax,
      volatileDirectories,
      extendedAttributes: diff.hasExtendedAttributes,
    };
    if (request.settings.length > 0) {
      const fileSystem = openOverlay({ ...overlay, lower, worker: 0 });
      try {
        const added = applySettings(fileSystem, request.settings);
        log.info("server settings written", { added });
      } finally {
        fileSystem.close();
      }
    }
    return {
      kind: "backup",
      instance,
      backup: lower.opened,
      pageCounters: createPageCounterMemory(),
      overlay,
    };
  }

  async #mountAndServe(
    diff: DiffDirectory,
    description: BackupDescription,
    pool: WorkerPool,
  ): Promise<void> {
    const { controlPath } = diff;
    const pidRecord = formatPidRecord(host.getPid(), diff.path);
    replaceTextFile(controlPath, PID_FILE_NAME, pidRecord, { mode: 0o644, durable: false });
    try {
      const { instance, pageCounters } = description;
      const backupId = description.backup.chain[0]!.id;
      const fsname = `pbkfs:${instance}/${backupId}`;
      const mounted = await this.#mount(diff, description, pool, fsname);
      const backup = { instance, backupId, fsname, diffPath: diff.path, pageCounters };
      const collector = new BackupStatistics(mounted, backup, description.overlay.shared);
      const { report, signals, card } = this.#voices;
      showMounted(card, mounted);
      const statistics = { collector, controlPath };
      const served = serveUntilEnd({ mounted, signals, card, statistics });
      report.mounted?.();
      releaseMemoryWhenIdle(() => mounted.statistics.requestCount);
      await served;
    } finally {
      removeWorkerFiles(controlPath);
    }
  }

  async #mount(
    diff: DiffDirectory,
    description: BackupDescription,
    pool: WorkerPool,
    fsname: string,
  ): Promise<MountedFileSystem> {
    const mounted = await mountFileSystem({
      mountPoint: diff.mountPath,
      fsname,
      allowOther: chooseAllowOther(this.#request.allowOther),
      launched: pool,
      requestTimeoutMs: this.#request.ioTimeoutMs,
      description,
      posixAcls: description.overlay.extendedAttributes,
      backingPaths: [`${diff.controlPath}/${PID_FILE_NAME}`],
    });
    log.info("mounted", {
      mnt: mounted.mountPoint,
      fsname,
      diff: diff.path,
      workers: mounted.workerCount,
      pid: host.getPid(),
    });
    logPassthrough(mounted.passthrough);
    log.debug("kernel features", { features: mounted.kernelFeatures });
    return mounted;
  }

  /** Makes everything durable, and only then says so. */
  #settle(diff: DiffDirectory, startSeconds: number): void {
    try {
      diff.requireInPlace();
      settleDiffTree(diff.path, diff.nonce, startSeconds);
      diff.clearDirty();
      diff.release();
    } catch (error) {
      throw unsettled(error, diff.path, this.#request.skipFsync);
    }
    log.info("unmounted", { mnt: diff.mountPath, diff: diff.path });
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

/** Files that are left say nothing untrue for long: the next mount writes them anew. */
function removeWorkerFiles(controlPath: string): void {
  try {
    for (const name of [PID_FILE_NAME, STAT_FILE_NAME]) removeFile(`${controlPath}/${name}`);
  } catch (error) {
    log.warn("files of the worker not removed", { error });
  }
}

function logPassthrough({ isOn, stackDepth, refusal }: PassthroughState): void {
  if (isOn) log.info("kernel serves plain files of the diff itself", { stack_depth: stackDepth });
  else log.info("kernel does not serve files of the diff itself", { reason: refusal });
}

/**
 * Who owns the files: who was asked for; else for root the owner of the mount before, or (undefined) of the backup;
 * an ordinary user cannot give files away.
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

/** The root of a mount that was there before has its owner from then. */
function chownRoot(diff: DiffDirectory, owner: Owner | undefined): void {
  if (owner === undefined || host.getEffectiveUid() !== 0) return;
  const path = `${diff.path}/data`;
  host.unwrap(host.chownAt(host.At.FDCWD, path, owner.uid, owner.gid), "chown", path);
}
