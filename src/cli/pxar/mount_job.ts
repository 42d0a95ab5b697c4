/**
 * The mount of an archive in files.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import { type MountedTree, runTreeMount, type TreeMountRequest } from "../tree_mount_job.ts";
import type { ArchiveDescription } from "./archive_description.ts";
import { openArchiveTree } from "./archive_file_system.ts";
import { existingPayloadPath, realPath } from "./archive_files.ts";
import { fileInput } from "./archive_input.ts";
import { surveyArchive } from "./archive_survey.ts";

/** A mount of an archive, as asked for. */
export interface ArchiveMountRequest extends TreeMountRequest {
  readonly archivePath: string;
  /** Undefined: found by name. */
  readonly payloadPath: string | undefined;
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
  return runTreeMount(request, () => openMountedArchive(request), isBackground);
}

/** Opens the archive to see that this works, and reads what its tables do not tell. @throws {FormatError} */
function openMountedArchive(request: ArchiveMountRequest): MountedTree {
  const path = realPath(request.archivePath);
  const payload = existingPayloadPath(request.archivePath, request.payloadPath);
  const payloadPath = payload === undefined ? undefined : realPath(payload);
  openArchiveTree({ path, payloadPath }).close();
  using streams = fileInput(path, payloadPath).openStreams();
  const description: ArchiveDescription = {
    kind: "archive",
    path,
    payloadPath,
    size: sizeOf(path) + (payloadPath === undefined ? 0 : sizeOf(payloadPath)),
    ...surveyArchive(streams),
  };
  // Every worker opens the files itself.
  const { mayHaveAcls } = description;
  return { description, fsname: `pbkfs:${path}`, mayHaveAcls, [Symbol.dispose]() {} };
}

function sizeOf(path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(host.At.FDCWD, path, stat), "stat", path);
  return stat.size;
}
