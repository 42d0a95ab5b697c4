/**
 * A diff directory during its mount: prepared before, with the files of its worker in it, settled
 * at the end.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { removeFile } from "#src/io/files/whole_file.ts";
import { logger } from "#src/log/logger.ts";
import type { DiffDirectory } from "#src/overlay/diff_directory.ts";
import { prepareDiffTree, settleDiffTree } from "#src/overlay/diff_tree.ts";
import { replaceTextFile } from "#src/overlay/durable_file.ts";
import type { OverlayParts } from "#src/overlay/overlay.ts";
import { createSharedState } from "#src/overlay/shared_state.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { formatPidRecord, PID_FILE_NAME, STAT_FILE_NAME } from "./control/worker_files.ts";
import type { WritableRequest } from "./mount_request.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { volatileDirectories, writeSettings } from "./postgres_profile.ts";
import { settleFailure } from "./settle_failure.ts";

const log = logger("mount");

/** Permission bits of a data directory that PostgreSQL refuses. */
const MODE_REFUSED = 0o027;

/** An overlay as plain values that are sent to the FUSE workers. */
export type OverlayDescription = Omit<OverlayParts, "lower" | "worker" | "backing">;

/**
 * Prepares a bound diff directory, and writes the settings of the server into it.
 *
 * @throws {FormatError} when its tree belongs to another binding
 * @throws {UsageError} when there is no WAL to be forgotten
 * @throws {OsError}
 */
export function prepareOverlay(
  diff: DiffDirectory,
  lower: MountableTree,
  { skipFsync, materializeOnRead, wholeCopyBytesMax, postgres }: WritableRequest,
): OverlayDescription {
  const volatile = volatileDirectories(postgres, lower);
  const { path: diffPath, nonce, hasExtendedAttributes: extendedAttributes } = diff;
  prepareDiffTree({ diffPath, lower, nonce, volatileDirectories: volatile });
  chownRoot(diff, postgres.owner);
  if (lower.root.lookup("PG_VERSION")?.kind === "file") restrictRoot(diff);
  const overlay = {
    diffPath,
    nonce,
    shared: createSharedState(),
    skipFsync,
    materializeOnRead,
    wholeCopyBytesMax,
    volatileDirectories: volatile,
    extendedAttributes,
  };
  writeSettings(postgres, { ...overlay, lower });
  return overlay;
}

/** The root of a mount that was there before has its owner from then. */
function chownRoot({ path: diffPath }: DiffDirectory, owner: Owner | undefined): void {
  if (owner === undefined || host.getEffectiveUid() !== 0) return;
  const path = `${diffPath}/data`;
  host.unwrap(host.lchown(path, owner.uid, owner.gid), "chown", path);
}

/** A server starts on no data directory that others may enter or write to. */
function restrictRoot({ path: diffPath }: DiffDirectory): void {
  const path = `${diffPath}/data`;
  const stat = new host.HostStat();
  host.unwrap(host.lstat(path, stat), "stat", path);
  const mode = stat.mode & 0o7777;
  if ((mode & MODE_REFUSED) === 0) return;
  host.unwrap(host.chmod(path, mode & ~MODE_REFUSED), "chmod", path);
}

/** Says in a diff directory who serves it. @throws {OsError} */
export function writeWorkerFiles({ path, controlPath }: DiffDirectory): void {
  const pidRecord = formatPidRecord(host.getPid(), path);
  replaceTextFile(controlPath, PID_FILE_NAME, pidRecord, { mode: 0o644, durable: false });
}

/** Files by which the kernel can be asked what it passes through to a diff directory. */
export function backingPathsOf({ controlPath }: DiffDirectory): string[] {
  return [`${controlPath}/${PID_FILE_NAME}`];
}

/** Files that are left say nothing untrue for long: the next mount writes them anew. */
export function removeWorkerFiles({ controlPath }: DiffDirectory): void {
  try {
    for (const name of [PID_FILE_NAME, STAT_FILE_NAME]) removeFile(`${controlPath}/${name}`);
  } catch (error) {
    log.warn("files of the worker not removed", { error });
  }
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
    throw settleFailure(error, diff.path, skipFsync);
  }
  log.info("unmounted", { mnt: diff.mountPath, diff: diff.path });
}
