/**
 * A diff directory during its mount: prepared before, with the files of its worker in it, settled
 * at the end.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { removeFile } from "#src/io/files/whole_file.ts";
import { logger } from "#src/log/logger.ts";
import { type MountedFileSystem, mountFileSystem } from "#src/mount/mount.ts";
import type { PassthroughState } from "#src/mount/passthrough.ts";
import type { WorkerPool } from "#src/mount/worker_pool.ts";
import type { DiffDirectory } from "#src/overlay/diff_directory.ts";
import { prepareDiffTree, settleDiffTree } from "#src/overlay/diff_tree.ts";
import { replaceTextFile } from "#src/overlay/durable_file.ts";
import { openOverlay, type OverlayParts } from "#src/overlay/overlay.ts";
import { createSharedState } from "#src/overlay/shared_state.ts";
import type { Tree } from "#src/tree/node.ts";
import { chooseAllowOther } from "./allow_other.ts";
import { formatPidRecord, PID_FILE_NAME, STAT_FILE_NAME } from "./control/worker_files.ts";
import { releaseMemoryWhenIdle } from "./idle_memory.ts";
import { serveUntilEnd, showMounted } from "./live_mount.ts";
import type { MountVoices } from "./mount_process.ts";
import type { BackupMountRequest, Owner, Setting } from "./mount_request.ts";
import { DiffStatistics, type MountedSource } from "./mount_statistics.ts";
import { applySettings } from "./server_settings.ts";
import { unsettled } from "./unsettled.ts";

/** Directory of a data directory whose changes `noWal` forgets. */
const WAL_DIRECTORY = "pg_wal";

const log = logger("mount");

/** An overlay as plain values that are sent to the FUSE workers. */
export type OverlayDescription = Omit<OverlayParts, "lower" | "worker" | "backing">;

/** How a diff directory is used. */
export interface DiffUse {
  readonly skipFsync: boolean;
  readonly noWal: boolean;
  readonly materializeOnRead: boolean;
  /** Total of the files that may be copied whole when they are opened for writing. */
  readonly wholeCopyBytesMax: number;
  readonly settings: readonly Setting[];
}

/**
 * Prepares a bound diff directory, and writes the settings of the server into it.
 *
 * @param rootOwner who is to own the root of the mount; undefined: who did before
 * @throws {FormatError} when its tree belongs to another binding
 * @throws {OsError}
 */
export function prepareOverlay(
  diff: DiffDirectory,
  lower: Tree,
  { skipFsync, noWal, materializeOnRead, wholeCopyBytesMax, settings }: DiffUse,
  rootOwner?: Owner,
): OverlayDescription {
  const volatileDirectories = noWal ? [WAL_DIRECTORY] : [];
  prepareDiffTree({ diffPath: diff.path, lower, nonce: diff.nonce, volatileDirectories });
  chownRoot(diff, rootOwner);
  const overlay = {
    diffPath: diff.path,
    nonce: diff.nonce,
    shared: createSharedState(),
    skipFsync,
    materializeOnRead,
    wholeCopyBytesMax,
    volatileDirectories,
    extendedAttributes: diff.hasExtendedAttributes,
  };
  if (settings.length > 0) {
    const fileSystem = openOverlay({ ...overlay, lower, worker: 0 });
    try {
      const added = applySettings(fileSystem, settings);
      log.info("server settings written", { added });
    } finally {
      fileSystem.close();
    }
  }
  return overlay;
}

/** The root of a mount that was there before has its owner from then. */
function chownRoot({ path: diffPath }: DiffDirectory, owner: Owner | undefined): void {
  if (owner === undefined || host.getEffectiveUid() !== 0) return;
  const path = `${diffPath}/data`;
  host.unwrap(host.chownAt(host.At.FDCWD, path, owner.uid, owner.gid), "chown", path);
}

/** A mount over a prepared diff directory. */
export interface DiffMount {
  readonly diff: DiffDirectory;
  /** Sent to the FUSE workers. */
  readonly description: { readonly overlay: OverlayDescription };
  readonly pool: WorkerPool;
  readonly source: MountedSource;
  readonly posixAcls: boolean;
  readonly request: Pick<BackupMountRequest, "allowOther" | "ioTimeoutMs">;
  readonly voices: MountVoices;
}

/**
 * Mounts, and serves until the mount has ended. While it does, the diff directory says who serves
 * it.
 */
export async function serveOverDiff(parts: DiffMount): Promise<void> {
  const { diff, description, source, voices: { report, signals, card } } = parts;
  const { controlPath } = diff;
  const pidRecord = formatPidRecord(host.getPid(), diff.path);
  replaceTextFile(controlPath, PID_FILE_NAME, pidRecord, { mode: 0o644, durable: false });
  try {
    const mounted = await mountOverDiff(parts);
    const collector = new DiffStatistics(mounted, source, description.overlay);
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

async function mountOverDiff(parts: DiffMount): Promise<MountedFileSystem> {
  const { diff, description, pool, source: { fsname }, posixAcls, request } = parts;
  const mounted = await mountFileSystem({
    mountPoint: diff.mountPath,
    fsname,
    allowOther: chooseAllowOther(request.allowOther),
    launched: pool,
    requestTimeoutMs: request.ioTimeoutMs,
    description,
    posixAcls,
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

/** A time before the mount, in seconds of the host's coarser clock. */
export function secondsBeforeMount(): number {
  return Math.floor(Date.now() / 1000) - 1;
}

/**
 * Makes everything durable, and only then says so.
 *
 * @param startSeconds {@link secondsBeforeMount}, from before the mount
 * @throws {OsError} with what to do
 */
export function settleDiff(diff: DiffDirectory, startSeconds: number, skipFsync: boolean): void {
  try {
    diff.requireInPlace();
    settleDiffTree(diff.path, diff.nonce, startSeconds);
    diff.clearDirty();
    diff.release();
  } catch (error) {
    throw unsettled(error, diff.path, skipFsync);
  }
  log.info("unmounted", { mnt: diff.mountPath, diff: diff.path });
}
