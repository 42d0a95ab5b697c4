/**
 * The mount of a tree, read-only or over a diff directory, from beginning to end, in the process
 * that serves it.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import { launchWorkers, mountFileSystem } from "#src/mount/mount.ts";
import { prepareMountPoint, resolveMountPoint } from "#src/mount/mount_point.ts";
import type { Source } from "#src/overlay/binding.ts";
import {
  type DiffDirectory,
  type DiffPlace,
  openDiffDirectory,
} from "#src/overlay/diff_directory.ts";
import type { Tree } from "#src/tree/node.ts";
import { chooseAllowOther } from "./allow_other.ts";
import {
  type DiffUse,
  prepareOverlay,
  secondsBeforeMount,
  serveOverDiff,
  settleDiff,
} from "./diff_life.ts";
import { LOG_FILE_NAME } from "./mount_request.ts";
import { PROGRAM_VERSION } from "../program_version.ts";
import type { ServedTreeFacts } from "./sources/served_tree.ts";
import { SurveyedTree } from "./sources/surveyed_tree.ts";
import { refuseServedMount } from "./control/served_mount.ts";
import { releaseMemoryWhenIdle } from "./idle_memory.ts";
import { type LogRequest, openMountLog } from "./mount_log.ts";
import { type MountReport, type MountVoices, runMountProcess } from "./mount_process.ts";
import { WAIT_LOG } from "./wait_log.ts";
import { serveUntilEnd, showMounted } from "./live_mount.ts";
import { RequestStatistics } from "./mount_statistics.ts";
import { workerUrl } from "../threads.ts";

const log = logger("mount");

/** A mount, as asked for. */
export interface TreeMountRequest {
  readonly mountPath: string;
  /** Undefined: for root only. */
  readonly allowOther: boolean | undefined;
  /** Undefined: as many as the host is good for. */
  readonly workerCount: number | undefined;
  /** How long a request may wait for what is mounted. Undefined: for ever. */
  readonly ioTimeoutMs: number | undefined;
  /** A log to a file that has no name is no log. */
  readonly log: LogRequest;
  /** Where changes go; undefined for a read-only mount. */
  readonly diff: TreeDiffRequest | undefined;
}

/** A diff directory over a tree, as asked for. */
export interface TreeDiffRequest extends DiffUse {
  /** Absolute. */
  readonly path: string;
  /** Mount although writes are lost, or the source has changed. */
  readonly force: boolean;
}

/** What can be mounted. */
export interface TreeSource {
  /** Where it lies: apart from mount point and diff directory. */
  readonly places: readonly DiffPlace[];
  /** Opens it. Called once, when the log is open. */
  open(): MountedTree;
}

/** What is to be mounted. It is closed when the mount has ended. */
export interface MountedTree extends Disposable {
  /** Sent to the FUSE workers. */
  readonly description: ServedTreeFacts;
  /** Name of the source in df and the mount table. */
  readonly fsname: string;
  /** What a diff directory over it is bound to. */
  identify(): Promise<Source>;
  /** A view for this thread, to be closed by the caller. */
  openTree(): Tree;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param source what it opens stays open as long as the mount
 * @param report is told how far it is
 * @throws {Failure}
 */
export function runTreeMount(
  request: TreeMountRequest,
  source: TreeSource,
  report: MountReport,
): Promise<void> {
  return runMountProcess(
    request.mountPath,
    report,
    (voices) => new TreeMount(request, source, voices),
  );
}

/** The steps of one mount. */
class TreeMount {
  readonly #request: TreeMountRequest;
  readonly #source: TreeSource;
  readonly #voices: MountVoices;
  #sink: LogSink | undefined;

  constructor(request: TreeMountRequest, source: TreeSource, voices: MountVoices) {
    this.#request = request;
    this.#source = source;
    this.#voices = voices;
  }

  async run(): Promise<void> {
    const { diff } = this.#request;
    host.raiseOpenFileLimit();
    const mountPath = resolveMountPoint(this.#request.mountPath);
    this.#voices.card.update({ mount_path: mountPath });
    if (diff === undefined) await this.#runReadOnly(mountPath);
    else await this.#runOverDiff(mountPath, diff);
  }

  async #runReadOnly(mountPath: string): Promise<void> {
    this.#openLog();
    await this.#prepareMountPoint(mountPath);
    using tree = this.#source.open();
    host.changeDirectory("/");
    this.#voices.report.started?.(this.#sink?.fd);
    await this.#mountAndServe(mountPath, tree);
    log.info("unmounted", { mnt: mountPath });
  }

  async #runOverDiff(mountPath: string, request: TreeDiffRequest): Promise<void> {
    // The caller's umask counts, not that of this process.
    host.setUmask(0);
    const startSeconds = secondsBeforeMount();
    const { places } = this.#source;
    const diff = openDiffDirectory(request.path, {
      sourcePlaces: places,
      mountPath,
      force: request.force,
    });
    this.#voices.card.update({ diff_dir: diff.path });
    try {
      await this.#prepareMountPoint(mountPath);
      using tree = this.#source.open();
      const change = diff.bind({
        source: await tree.identify(),
        extendedAttributes: true,
        programVersion: PROGRAM_VERSION,
      });
      if (request.skipFsync) diff.markDirty();
      this.#openLog(`${diff.controlPath}/${LOG_FILE_NAME}`);
      if (change !== undefined) log.warn("source has changed, mounted by force", { change });
      await this.#serveOverDiff(diff, request, tree);
      this.#voices.card.update({ state: "settling" });
      settleDiff(diff, startSeconds, request.skipFsync);
    } catch (error) {
      diff.abandon();
      throw error;
    }
  }

  async #serveOverDiff(
    diff: DiffDirectory,
    request: TreeDiffRequest,
    { description: facts, fsname, openTree }: MountedTree,
  ): Promise<void> {
    const lower = new SurveyedTree(openTree(), facts.linkCounts, false);
    let overlay;
    try {
      overlay = prepareOverlay(diff, lower, request);
    } finally {
      lower.close();
    }
    host.changeDirectory("/");
    const { report } = this.#voices;
    report.started?.(this.#sink?.fd);
    const { workerCount } = this.#request;
    const pool = launchWorkers({
      workerUrl: workerUrl(),
      workers: workerCount,
      ...WAIT_LOG,
      onFailure: (detail) => log.error("request failed", { detail }),
      onReadOnly: () =>
        log.error("disk of the diff is read-only: changes are refused", { diff: diff.path }),
    });
    try {
      await serveOverDiff({
        diff,
        description: { ...facts, overlay },
        pool,
        source: { fsname, facts: {} },
        posixAcls: true,
        request: this.#request,
        voices: this.#voices,
      });
    } catch (error) {
      pool.terminate();
      throw error;
    }
  }

  /**
   * @param defaultPath where to log to a file that was given no name; without it there is no such
   *   log
   */
  #openLog(defaultPath?: string): void {
    const { log: request } = this.#request;
    const path = request.path ?? defaultPath;
    if (request.sink === "file" && path === undefined) return;
    this.#sink = openMountLog({ ...request, path });
  }

  async #prepareMountPoint(mountPath: string): Promise<void> {
    refuseServedMount(mountPath);
    if (await prepareMountPoint(mountPath)) log.warn("dead mount removed", { mnt: mountPath });
  }

  /** Waits until the log has left this process. */
  async flushLog(): Promise<void> {
    await this.#sink?.flush();
  }

  async #mountAndServe(
    mountPath: string,
    { description, fsname }: MountedTree,
  ): Promise<void> {
    const { mayHaveAcls } = description;
    const { workerCount, allowOther, ioTimeoutMs } = this.#request;
    const mounted = await mountFileSystem({
      mountPoint: mountPath,
      fsname,
      allowOther: chooseAllowOther(allowOther),
      readOnly: true,
      posixAcls: mayHaveAcls,
      workers: workerCount,
      workerUrl: workerUrl(),
      requestTimeoutMs: ioTimeoutMs,
      description,
      ...WAIT_LOG,
      onFailure: (detail) => log.error("request failed", { detail }),
    });
    log.info("mounted", { mnt: mounted.mountPoint, fsname, workers: mounted.workerCount });
    const { report, signals, card } = this.#voices;
    showMounted(card, mounted);
    if (mayHaveAcls && !mounted.posixAcls) {
      log.warn("kernel does not check ACLs: modes of files with ACLs are shown restricted");
    }
    const statistics = { collector: new RequestStatistics(mounted, fsname) };
    const served = serveUntilEnd({ mounted, signals, card, statistics });
    report.mounted?.();
    releaseMemoryWhenIdle(() => mounted.statistics.requestCount);
    await served;
  }
}
