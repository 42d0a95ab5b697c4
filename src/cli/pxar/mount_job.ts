/**
 * The mount of an archive from beginning to end, in the process that serves it.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import { logger } from "#src/log/logger.ts";
import type { LogSink } from "#src/log/sinks.ts";
import { mountFileSystem, prepareMountPoint, resolveMountPoint } from "#src/mount/mod.ts";
import { chooseAllowOther } from "../allow_other.ts";
import type { LogRequest } from "../log_options.ts";
import { openMountLog } from "../mount_log.ts";
import { runMountProcess } from "../mount_process.ts";
import type { MountReport } from "../mount_report.ts";
import type { MountSignals } from "../mount_signals.ts";
import { serveUntilEnd } from "../mounted_job.ts";
import type { ArchiveDescription } from "./archive_description.ts";
import { openArchiveTree } from "./archive_file_system.ts";
import { existingPayloadPath, realPath } from "./archive_files.ts";
import { countLinks } from "./link_counts.ts";

const log = logger("mount");

/** A mount of an archive, as asked for. */
export interface ArchiveMountRequest {
  readonly archivePath: string;
  /** Undefined: found by name. */
  readonly payloadPath: string | undefined;
  readonly mountPath: string;
  /** Undefined: for root only. */
  readonly allowOther: boolean | undefined;
  /** Undefined: as many as the host is good for. */
  readonly workerCount: number | undefined;
  /** A log to a file that has no name is no log. */
  readonly log: LogRequest;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param isBackground report to the launcher over standard output instead of throwing
 * @returns the exit code
 * @throws a `Failure`, in the foreground
 */
export function runArchiveMount(
  request: ArchiveMountRequest,
  isBackground: boolean,
): Promise<number> {
  return runMountProcess(
    isBackground,
    (report, signals) => new ArchiveMountJob(request, report, signals),
  );
}

/** The steps of one mount. */
class ArchiveMountJob {
  readonly #request: ArchiveMountRequest;
  readonly #report: MountReport;
  readonly #signals: MountSignals;
  #sink: LogSink | undefined;

  constructor(request: ArchiveMountRequest, report: MountReport, signals: MountSignals) {
    this.#request = request;
    this.#report = report;
    this.#signals = signals;
  }

  async run(): Promise<void> {
    const { log: logRequest } = this.#request;
    host.raiseOpenFileLimit();
    if (logRequest.sink !== "file" || logRequest.path !== undefined) {
      this.#sink = openMountLog(logRequest);
    }
    const mountPath = resolveMountPoint(this.#request.mountPath);
    if (prepareMountPoint(mountPath)) log.warn("dead mount removed", { mnt: mountPath });
    const description = describeArchive(this.#request);
    host.changeDirectory("/");
    this.#report.started(this.#sink?.fd);
    await this.#mountAndServe(mountPath, description);
    log.info("unmounted", { mnt: mountPath });
  }

  /** Waits until the log has left this process. */
  async flushLog(): Promise<void> {
    await this.#sink?.flush();
  }

  async #mountAndServe(mountPath: string, description: ArchiveDescription): Promise<void> {
    const { workerCount, allowOther } = this.#request;
    const fsname = `pbkfs:${description.path}`;
    const mounted = await mountFileSystem({
      mountPoint: mountPath,
      fsname,
      allowOther: chooseAllowOther(allowOther),
      readOnly: true,
      ...(workerCount === undefined ? {} : { workers: workerCount }),
      description,
      onFailure: (detail) => log.error("request failed", { detail }),
    });
    log.info("mounted", { mnt: mounted.mountPoint, fsname, workers: mounted.workerCount });
    const served = serveUntilEnd({ mounted, signals: this.#signals });
    this.#report.mounted();
    await served;
  }
}

/** Opens the archive to see that this works, and reads what its tables do not tell. @throws {FormatError} */
function describeArchive(request: ArchiveMountRequest): ArchiveDescription {
  const path = realPath(request.archivePath);
  const payload = existingPayloadPath(request.archivePath, request.payloadPath);
  const payloadPath = payload === undefined ? undefined : realPath(payload);
  openArchiveTree({ path, payloadPath }).close();
  return {
    kind: "archive",
    path,
    payloadPath,
    pid: host.getPid(),
    size: sizeOf(path) + (payloadPath === undefined ? 0 : sizeOf(payloadPath)),
    linkCounts: countLinks(path),
  };
}

function sizeOf(path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(host.At.FDCWD, path, stat), "stat", path);
  return stat.size;
}
