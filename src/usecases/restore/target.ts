/**
 * The directories that a restore writes to: whether it may, and whether it goes on with an earlier
 * one.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { HostProcess } from "#src/io/process.ts";
import { parseControlFile } from "#src/sources/format/control_file.ts";
import { CONTROL_FILE_PATH } from "#src/sources/postgres_facts.ts";
import { createDirectories } from "#src/pxar/extractor/existing_directory.ts";
import { controlFileOf, readBytes } from "../data_directory_files.ts";
import type { RestoreLayout, RestoreRoot } from "./layout.ts";
import { OWN_NAMES, type RestoreIdentity, UnfinishedRestore } from "./unfinished.ts";

/** In a data directory: written by a server as long as it runs. */
const SERVER_PID_NAME = "postmaster.pid";
const SERVER_PID_SIZE_MAX = 4096;

const CONTROL_FILE_SIZE_MAX = 64 << 10;

/** What is asked of the target. */
export interface TargetRequest {
  /** Use directories with something in them, and keep of it what is right. */
  readonly isIncremental: boolean;
  /** Also those of another cluster. */
  readonly force: boolean;
}

/** A target that is this restore's now. */
export interface ClaimedTarget {
  readonly unfinished: UnfinishedRestore;
  /** Goes on with an earlier one. */
  readonly isResumed: boolean;
}

/**
 * Checks all directories, makes those that are missing, and leaves the record of the restore.
 *
 * @throws {StateError} `exists`: something else is there; `busy`: a server runs on it; `locked`:
 *   another restore does
 * @throws {OsError}
 */
export function claimTarget(
  layout: RestoreLayout,
  identity: RestoreIdentity,
  request: TargetRequest,
): ClaimedTarget {
  const [target] = layout.roots;
  const { path } = target!;
  requireDirectory(path);
  refuseRunningServer(path);
  const unfinished = UnfinishedRestore.open(path);
  if (unfinished !== undefined) {
    requireSame(unfinished, identity, path);
    for (const root of layout.roots) createDirectories(root.path);
    return { unfinished, isResumed: true };
  }
  if (request.isIncremental && !isEmpty(path)) requireSameCluster(layout, path, request.force);
  for (const root of layout.roots) requireFree(root, request);
  for (const root of layout.roots) createDirectories(root.path);
  return { unfinished: UnfinishedRestore.create(path, identity), isResumed: false };
}

function requireDirectory(path: string): void {
  const status = hostFiles.status(path);
  if (status === undefined || status.kind === "directory") return;
  throw new StateError("exists", `Cannot restore to "${path}": it is not a directory`, {
    hint: "Give a directory, or a name that is not taken",
  });
}

function refuseRunningServer(path: string): void {
  const text = host.readSmallFile(`${path}/${SERVER_PID_NAME}`, SERVER_PID_SIZE_MAX);
  if (typeof text === "number") return;
  const pid = Number.parseInt(new TextDecoder().decode(text));
  if (!(pid > 0)) return;
  using process = HostProcess.open(pid);
  if (process === undefined || process.state === "ended") return;
  throw new StateError("busy", `Cannot restore to "${path}": a server runs on it, process ${pid}`, {
    hint: `Stop the server first. Where that process is none, remove ${SERVER_PID_NAME}`,
  });
}

function requireSame(unfinished: UnfinishedRestore, wanted: RestoreIdentity, path: string): void {
  const found = unfinished.identity;
  // Names change when a catalog is moved; and that owner is kept which was found out first.
  const essence = ({ source, ...rest }: RestoreIdentity) =>
    JSON.stringify({ ...rest, owner: null, source: { ...source, name: "" } });
  if (essence(found) === essence(wanted)) return;
  unfinished[Symbol.dispose]();
  const isSameSource = found.source.fingerprint === wanted.source.fingerprint;
  const what = isSameSource ? "with other settings" : `of "${found.source.name}"`;
  throw new StateError(
    "exists",
    `Cannot restore to "${path}": it holds an unfinished restore ${what}`,
    { hint: "Repeat what was asked for then, or empty the directory" },
  );
}

function requireFree(root: RestoreRoot, { isIncremental }: TargetRequest): void {
  const { path } = root;
  requireDirectory(path);
  if (isIncremental || isEmpty(path)) return;
  throw new StateError("exists", `Cannot restore to "${path}": the directory is not empty`, {
    hint: "Give an empty directory, or let what is there be made what the backup has",
    option: "incremental",
  });
}

/** Nothing there counts as empty. */
function isEmpty(path: string): boolean {
  if (hostFiles.status(path) === undefined) return true;
  return hostFiles.entries(path).every(({ name }) => OWN_NAMES.has(name));
}

function requireSameCluster(layout: RestoreLayout, path: string, force: boolean): void {
  const [target] = layout.roots;
  const file = controlFileOf(target!.node);
  if (layout.backup === undefined || file === undefined || force) return;
  const wanted = parseControlFile(readBytes(file, CONTROL_FILE_SIZE_MAX))?.systemIdentifier;
  const bytes = host.readSmallFile(`${path}/${CONTROL_FILE_PATH}`, CONTROL_FILE_SIZE_MAX);
  const found = typeof bytes === "number" ? undefined : parseControlFile(bytes)?.systemIdentifier;
  if (found !== undefined && found === wanted) return;
  throw new StateError(
    "exists",
    `Cannot restore to "${path}": ` +
      (found === undefined
        ? "it is not empty, and no data directory that is known here"
        : `it is cluster ${found}, the backup is of cluster ${wanted ?? "unknown"}`),
    { hint: "Give the directory of the cluster that was backed up", option: "force" },
  );
}
