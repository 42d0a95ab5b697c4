/**
 * A mount from beginning to end, in the process or thread that serves it: check, open, bind, mount,
 * serve, settle, free. It is the same for every kind of source, read-only or over a diff directory.
 *
 * The order keeps every failure harmless: nothing is written before the diff directory is known to
 * be ours and free, and the binding says what is done to it before it is done.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import { launchWorkers, type MountedFileSystem, mountFileSystem } from "#src/mount/mount.ts";
import { prepareMountPoint, resolveMountPoint } from "#src/mount/mount_point.ts";
import type { WorkerPool } from "#src/mount/worker_pool.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { type DiffDirectory, openDiffDirectory } from "#src/overlay/diff_directory.ts";
import { chooseAllowOther } from "./allow_other.ts";
import { refuseServedMount } from "./control/served_mount.ts";
import {
  backingPathsOf,
  type OverlayDescription,
  prepareOverlay,
  removeWorkerFiles,
  secondsBeforeMount,
  settleDiff,
  writeWorkerFiles,
} from "./diff_life.ts";
import { MountHydration } from "./hydration/mount_hydration.ts";
import { type LiveStatistics, serveUntilEnd } from "./live_mount.ts";
import type { MountFrame } from "./mount_frame.ts";
import { openMountLog } from "./mount_log.ts";
import { LOG_FILE_NAME, type MountRequest, type WritableRequest } from "./mount_request.ts";
import { DiffStatistics, RequestStatistics } from "./mount_statistics.ts";
import { findOutwardLinks, InnerLinksTree } from "#src/sources/inner_links.ts";
import { readProfileKeys, requireOwnWal } from "#src/sources/diff/profile_keys.ts";
import type { MountDescription } from "./served_source.ts";
import { AttributeOverrideTree } from "#src/tree/attribute_override_tree.ts";
import type { OpenedSource, SourceToMount } from "./source_to_mount.ts";
import { WAIT_LOG } from "./wait_log.ts";
import { PROGRAM_VERSION } from "../program_version.ts";
import { workerUrl } from "../threads.ts";

const log = logger("mount");

/** What is thrown away may be asked one question, and a server starts as fast with one thread. */
const OTHERS_AFTER_MS = 500;

/** A diff directory that is open, and what was asked of it. */
interface OpenDiff {
  readonly diff: DiffDirectory;
  readonly request: WritableRequest;
}

/** The steps of one mount. */
export class MountLife {
  readonly #request: MountRequest;
  readonly #source: SourceToMount;
  readonly #frame: MountFrame;
  #sink: LogSink | undefined;
  #opened: OpenedSource | undefined;

  /**
   * @param source stays open as long as the mount
   * @param frame is told how far it is
   */
  constructor(request: MountRequest, source: SourceToMount, frame: MountFrame) {
    this.#request = request;
    this.#source = source;
    this.#frame = frame;
  }

  /** Mounts and serves until the mount has ended. @throws {Failure} */
  async run(): Promise<void> {
    const { workerCount, writable } = this.#request;
    // The umask of who makes a file counts, not that of who serves.
    if (writable !== undefined) host.setUmask(0);
    // First of all: it loads its code while everything else is looked at.
    const pool = launchWorkers({
      workerUrl: workerUrl(),
      workers: workerCount,
      borrowWorker: this.#frame.borrowWorker?.bind(this.#frame),
      othersAfterMs: writable?.isThrowaway === true ? OTHERS_AFTER_MS : 0,
      ...WAIT_LOG,
      onFailure: (detail) => this.#logFailure(detail),
      onReadOnly: () =>
        log.error("disk of the diff is read-only: changes are refused", {
          diff: writable?.diffPath,
        }),
      onGone: () => this.#opened?.source.endWaits?.(),
    });
    try {
      await this.#runWith(pool);
    } catch (error) {
      pool.terminate();
      throw error;
    }
  }

  async #runWith(pool: WorkerPool): Promise<void> {
    const { writable } = this.#request;
    if (!this.#isLogInDiff) this.#openLog(this.#request.log.path);
    const mountPath = resolveMountPoint(this.#request.mountPath);
    this.#frame.news.update({ mount_path: mountPath });
    if (writable === undefined) return await this.#mountAt(mountPath, undefined, pool);
    const diff = openDiffDirectory(writable.diffPath, {
      sourcePlaces: this.#source.places(),
      mountPath,
      force: writable.force,
      checkBinding: (binding) => {
        this.#source.checkBinding?.(binding);
        requireOwnWal(readProfileKeys(binding, recordPathOf(writable.diffPath)));
      },
    });
    this.#frame.news.update({ diff_dir: diff.path });
    try {
      await this.#mountAt(mountPath, { diff, request: writable }, pool);
    } catch (error) {
      diff.abandon();
      throw error;
    }
  }

  async #mountAt(mountPath: string, open: OpenDiff | undefined, pool: WorkerPool): Promise<void> {
    const startSeconds = secondsBeforeMount();
    // Not before it is known that the directories do not overlap: a dead mount there is removed.
    refuseServedMount(mountPath);
    const isRepaired = await prepareMountPoint(mountPath);
    const { workerCount: threadCount } = pool;
    this.#opened = await this.#source.open({ mountPath, diff: open?.diff, threadCount });
    using source = this.#opened.source;
    const showing = open === undefined
      ? { overlay: undefined, owner: undefined }
      : await this.#prepareDiff(open, this.#opened);
    if (isRepaired) log.warn("dead mount removed", { mnt: mountPath });
    this.#opened.logFindings?.();
    this.#frame.report.started?.(this.#sink?.fd);
    const description = { source: source.description, ...showing };
    await this.#mountAndServe(mountPath, open?.diff, description, pool);
    if (open === undefined) return log.info("unmounted", { mnt: mountPath });
    this.#frame.news.update({ state: "settling" });
    if (open.request.isThrowaway === true) return open.diff.abandon();
    settleDiff(open.diff, startSeconds, open.request.skipFsync);
  }

  /** Binds the diff directory, and writes what has to be there before the mount. */
  async #prepareDiff(
    { diff, request }: OpenDiff,
    { source, bound, onBound, extendedAttributes = false, showsOwner = false }: OpenedSource,
  ): Promise<Pick<MountDescription, "overlay" | "owner" | "outwardLinks">> {
    const { binding } = diff;
    const former = binding && readProfileKeys(binding, recordPathOf(diff.path)).shown_owner;
    const owner = showsOwner ? undefined : request.postgres.owner ?? former;
    const mark = await bound();
    const keys = { no_wal_used: request.postgres.noWal, shown_owner: owner };
    const change = diff.bind({
      source: { ...mark, keys: { ...mark.keys, ...keys } },
      extendedAttributes: request.extendedAttributes || extendedAttributes,
      programVersion: PROGRAM_VERSION,
    });
    onBound?.(diff);
    if (request.skipFsync) diff.markDirty();
    if (this.#isLogInDiff) this.#openLog(`${diff.controlPath}/${LOG_FILE_NAME}`);
    if (change !== undefined) log.warn("source has changed, mounted by force", { change });
    const stored = source.openTree();
    const outwardLinks = findOutwardLinks(stored);
    if (outwardLinks !== undefined) {
      log.warn("what leads out of the data directory leads nowhere in the mount", {
        paths: outwardLinks.paths,
      });
    }
    const tree = outwardLinks === undefined ? stored : new InnerLinksTree(stored, outwardLinks);
    const lower = owner === undefined
      ? tree
      : new AttributeOverrideTree(tree, { withoutAcls: false, owner });
    try {
      return { overlay: prepareOverlay(diff, lower, request), owner, outwardLinks };
    } finally {
      lower.close();
    }
  }

  /** While it serves, a diff directory says who serves it. */
  async #mountAndServe(
    mountPath: string,
    diff: DiffDirectory | undefined,
    description: MountDescription,
    pool: WorkerPool,
  ): Promise<void> {
    if (diff !== undefined) writeWorkerFiles(diff);
    let hydration: MountHydration | undefined;
    try {
      const { source: { label }, overlay } = description;
      const fsname = `pbkfs:${label}`;
      const mounted = await this.#mount(mountPath, diff, fsname, description, pool);
      const { report, orders, news } = this.#frame;
      news.update({ state: "mounted", mount: mounted.identity });
      if (overlay !== undefined) hydration = this.#hydrate(mounted, description);
      const statistics = overlay === undefined || hydration === undefined
        ? { collector: new RequestStatistics(mounted, fsname) }
        : this.#diffStatistics(mounted, fsname, overlay, hydration, diff?.controlPath);
      const served = serveUntilEnd({ mounted, orders, news, statistics });
      report.mounted?.(mounted);
      await served;
    } finally {
      await hydration?.end();
      if (diff !== undefined) removeWorkerFiles(diff);
    }
  }

  async #mount(
    mountPath: string,
    diff: DiffDirectory | undefined,
    fsname: string,
    description: MountDescription,
    pool: WorkerPool,
  ): Promise<MountedFileSystem> {
    const { source, overlay } = description;
    const mounted = await mountFileSystem({
      mountPoint: mountPath,
      fsname,
      allowOther: chooseAllowOther(this.#request.allowOther),
      readOnly: diff === undefined,
      posixAcls: overlay?.extendedAttributes ?? source.mayHaveAcls,
      launched: pool,
      requestTimeoutMs: this.#request.ioTimeoutMs,
      description,
      backingPaths: diff === undefined ? [] : backingPathsOf(diff),
    });
    log.info("mounted", {
      mnt: mounted.mountPoint,
      fsname,
      ...(diff === undefined ? {} : { diff: diff.path }),
      workers: mounted.workerCount,
      pid: host.getPid(),
    });
    if (diff !== undefined) logPassthrough(mounted);
    if (source.mayHaveAcls && !mounted.posixAcls) {
      log.warn("kernel does not check ACLs: modes of files with ACLs are shown restricted");
    }
    log.debug("kernel features", { features: mounted.kernelFeatures });
    return mounted;
  }

  /** Follows orders to hydrate, the first of which may be in the request. */
  #hydrate(mounted: MountedFileSystem, description: MountDescription): MountHydration {
    const hydration = new MountHydration(description, mounted.workerCount, mounted.posixAcls);
    this.#frame.orders.onHydration((order) => hydration.obey(order));
    const wish = this.#request.writable?.hydration;
    if (wish !== undefined) hydration.obey({ kind: "start", ...wish });
    return hydration;
  }

  #diffStatistics(
    mounted: MountedFileSystem,
    fsname: string,
    overlay: OverlayDescription,
    hydration: MountHydration,
    controlPath: string | undefined,
  ): LiveStatistics {
    const { facts = {}, pageCounters } = this.#opened!;
    const source = { fsname, facts, pageCounters };
    const collector = new DiffStatistics(mounted, source, overlay, () => hydration.report());
    return { collector, controlPath };
  }

  /**
   * A worker says what is wrong with a file; whether its source is still the one that was opened is
   * seen here.
   */
  #logFailure(detail: string): void {
    const cause = this.#opened?.explainFailure?.(detail);
    log.error("request failed", cause === undefined ? { detail } : { detail, cause });
  }

  get #isLogInDiff(): boolean {
    const { log: { sink, path }, writable } = this.#request;
    return writable !== undefined && sink === "file" && path === undefined;
  }

  /** Without a path a log to a file is none. */
  #openLog(path: string | undefined): void {
    const { log: request } = this.#request;
    if (request.sink === "file" && path === undefined) return;
    this.#sink = openMountLog({ ...request, path });
  }

  /** Waits until the log has left this process. */
  async flushLog(): Promise<void> {
    await this.#sink?.flush();
  }
}

function recordPathOf(diffPath: string): string {
  return `${diffPath}/${BINDING_FILE_NAME}`;
}

function logPassthrough({ passthrough: { isOn, stackDepth, refusal } }: MountedFileSystem): void {
  if (isOn) log.info("kernel serves plain files of the diff itself", { stack_depth: stackDepth });
  else log.info("kernel does not serve files of the diff itself", { reason: refusal });
}
