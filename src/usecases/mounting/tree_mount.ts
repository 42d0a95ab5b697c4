/**
 * The mount of a read-only tree from beginning to end, in the process that serves it.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import { mountFileSystem, prepareMountPoint, resolveMountPoint } from "#src/mount/mod.ts";
import { chooseAllowOther } from "./allow_other.ts";
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
}

/** What is to be mounted. It is closed when the mount has ended. */
export interface MountedTree extends Disposable {
  /** Sent to the FUSE workers. */
  readonly description: unknown;
  /** Name of the source in df and the mount table. */
  readonly fsname: string;
  /** The kernel is to check access by the ACLs of the files. */
  readonly mayHaveAcls: boolean;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param open called once, when the log is open; what it opens stays open as long as the mount
 * @param report is told how far it is
 * @throws {Failure}
 */
export function runTreeMount(
  request: TreeMountRequest,
  open: () => MountedTree,
  report: MountReport,
): Promise<void> {
  return runMountProcess(
    request.mountPath,
    report,
    (voices) => new TreeMount(request, open, voices),
  );
}

/** The steps of one mount. */
class TreeMount {
  readonly #request: TreeMountRequest;
  readonly #open: () => MountedTree;
  readonly #voices: MountVoices;
  #sink: LogSink | undefined;

  constructor(request: TreeMountRequest, open: () => MountedTree, voices: MountVoices) {
    this.#request = request;
    this.#open = open;
    this.#voices = voices;
  }

  async run(): Promise<void> {
    const { log: logRequest } = this.#request;
    host.raiseOpenFileLimit();
    if (logRequest.sink !== "file" || logRequest.path !== undefined) {
      this.#sink = openMountLog(logRequest);
    }
    const mountPath = resolveMountPoint(this.#request.mountPath);
    this.#voices.card.update({ mount_path: mountPath });
    refuseServedMount(mountPath);
    if (await prepareMountPoint(mountPath)) log.warn("dead mount removed", { mnt: mountPath });
    using tree = this.#open();
    host.changeDirectory("/");
    this.#voices.report.started?.(this.#sink?.fd);
    await this.#mountAndServe(mountPath, tree);
    log.info("unmounted", { mnt: mountPath });
  }

  /** Waits until the log has left this process. */
  async flushLog(): Promise<void> {
    await this.#sink?.flush();
  }

  async #mountAndServe(
    mountPath: string,
    { description, fsname, mayHaveAcls }: MountedTree,
  ): Promise<void> {
    const { workerCount, allowOther, ioTimeoutMs } = this.#request;
    const mounted = await mountFileSystem({
      mountPoint: mountPath,
      fsname,
      allowOther: chooseAllowOther(allowOther),
      readOnly: true,
      posixAcls: mayHaveAcls,
      ...(workerCount === undefined ? {} : { workers: workerCount }),
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
