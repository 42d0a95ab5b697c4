/**
 * The mount of an archive in files.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { type MountedTree, runTreeMount, type TreeMountRequest } from "./tree_mount.ts";
import type { MountReport } from "./mount_process.ts";
import type { ArchiveDescription } from "./sources/archive_description.ts";
import { openArchiveTree } from "./sources/archive_file_system.ts";
import { existingPayloadPath, realPath } from "../archive/archive_files.ts";
import { fileInput } from "../archive/archive_input.ts";
import { archiveSource } from "./sources/archive_source.ts";
import { surveyArchive } from "./sources/archive_survey.ts";

/** A mount of an archive, as asked for. */
export interface ArchiveMountRequest extends TreeMountRequest {
  readonly archivePath: string;
  /** Undefined: found by name. */
  readonly payloadPath: string | undefined;
}

/**
 * Mounts and serves until the mount has ended.
 *
 * @param report is told how far it is
 * @throws {Failure}
 */
export function runArchiveMount(
  request: ArchiveMountRequest,
  report: MountReport,
): Promise<void> {
  const path = realPath(request.archivePath);
  const payload = existingPayloadPath(request.archivePath, request.payloadPath);
  const files = payload === undefined ? [path] : [path, realPath(payload)];
  const source = {
    places: files.map((path) => ({ what: "archive", path })),
    open: () => openMountedArchive(path, files[1]),
  };
  return runTreeMount(request, source, report);
}

/**
 * Opens the archive to see that this works, and reads what its tables do not tell. @throws
 * {FormatError}
 */
function openMountedArchive(path: string, payloadPath: string | undefined): MountedTree {
  openArchiveTree({ path, payloadPath }).close();
  using streams = fileInput(path, payloadPath).openStreams();
  const files = payloadPath === undefined ? [path] : [path, payloadPath];
  const description: ArchiveDescription = {
    kind: "archive",
    path,
    payloadPath,
    size: files.reduce((sum, each) => sum + sizeOf(each), 0),
    ...surveyArchive(streams),
  };
  // Every worker opens the files itself.
  return {
    description,
    fsname: `pbkfs:${path}`,
    identify: () => archiveSource(path, files),
    openTree: () => openArchiveTree({ path, payloadPath }),
    [Symbol.dispose]() {},
  };
}

function sizeOf(path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(host.At.FDCWD, path, stat), "stat", path);
  return stat.size;
}
