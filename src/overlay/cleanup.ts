/**
 * Empties a diff directory that is no longer wanted.
 *
 * @module
 */

import { dirname } from "node:path";
import * as host from "#ffi/libc/calls.ts";
import { Failure, OsError, StateError, UsageError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import { type Binding, parseBinding } from "./binding.ts";
import { BINDING_FILE_NAME } from "./binding_name.ts";
import {
  BRANCHES_DIRECTORY_NAME,
  forgetRemovedBranch,
  parentOf,
  requireNoBranches,
} from "./branches.ts";
import { UNWRAPPING_DIRECTORY_NAME } from "./collapsing.ts";
import { COPIES_FILE_NAME } from "./copy_mark.ts";
import {
  acquireDiffLock,
  describeHolder,
  DiffLockedError,
  findLockHolder,
  LOCK_FILE_NAME,
} from "./diff_lock.ts";
import { readSmallTextFile } from "./durable_file.ts";
import { readHostDirectory } from "./host_directory.ts";
import { DIRTY_FILE_NAME, readBinding } from "./diff_directory.ts";
import {
  CONTROL_DIRECTORY_NAME,
  DATA_DIRECTORY_NAME,
  realPathOfMissing,
  TEMPORARY_DIRECTORY_NAME,
} from "./diff_place.ts";
import { HYDRATED_FILE_NAME } from "./hydration/hydrated_mark.ts";
import { LINKS_DIRECTORY_NAME } from "./linked_files.ts";
import { promotionOf, requireNotPromoted } from "./promotion/promotion_record.ts";

/** Deeper trees than this are not ours and would exhaust descriptors. */
const DEPTH_MAX = 400;

const KNOWN_NAMES = new Set([
  BRANCHES_DIRECTORY_NAME,
  COPIES_FILE_NAME,
  CONTROL_DIRECTORY_NAME,
  DATA_DIRECTORY_NAME,
  DIRTY_FILE_NAME,
  HYDRATED_FILE_NAME,
  LINKS_DIRECTORY_NAME,
  TEMPORARY_DIRECTORY_NAME,
  UNWRAPPING_DIRECTORY_NAME,
]);

/**
 * Removes everything inside a diff directory and keeps the directory. Links are removed, not
 * followed.
 *
 * What a live worker has mounted is not removed, whatever is asked for: not the directory itself,
 * nor a part of it, nor one in it. Its programs would go on with files that are gone.
 *
 * @param options.force remove although the directory is not known to be a diff directory of ours
 * @returns the number of entries removed
 * @throws {UsageError} for the root directory
 * @throws {StateError} `locked` when it is in use, `foreign-diff` when it is not a diff directory
 *   of ours, `promoted` while it becomes a directory of its own
 * @throws {OsError} when it is not a directory or not writable
 */
export function cleanupDiffDirectory(path: string, options: { force: boolean }): number {
  const absolute = realPathOfMissing(path);
  if (absolute === "/") {
    throw new UsageError("Cannot clean up the root directory", {
      hint: "Give a diff directory",
      option: "diffPath",
    });
  }
  const fd = openDirectory(host.At.FDCWD, absolute);
  host.unwrap(fd, "open diff directory", absolute);
  try {
    for (let outer = absolute; outer !== "/"; outer = dirname(outer)) requireUnused(outer);
    const names = readHostDirectory(fd).map((entry) => entry.name);
    if (names.length === 0) return 0;
    if (!options.force) checkIsDiff(absolute, names);
    requireNoBranches(absolute, "empty");
    return removeLocked(fd, absolute, names.includes(LOCK_FILE_NAME));
  } finally {
    host.close(fd);
  }
}

/** @param hadLockFile whether a stale lock file was there, which is removed and counted, too */
function removeLocked(fd: number, path: string, hadLockFile: boolean): number {
  // Held while removing, so that no mount starts on what is half gone.
  const lock = acquireDiffLock(path, {
    pid: host.getPid(),
    startTime: Math.floor(Date.now() / 1000),
    diffPath: path,
    mountPath: "",
  });
  try {
    requireNoBranches(path, "empty");
    leaveParent(path);
    return removeAll(fd, path) + (hadLockFile ? 1 : 0);
  } finally {
    lock.release();
  }
}

/** What is to be removed holds up its parent no longer, also when it is not removed to the end. */
function leaveParent(path: string): void {
  const binding = bindingOf(path);
  const parent = binding && parentOf(binding);
  if (parent === undefined || bindingOf(parent.path)?.binding_id !== parent.bindingId) return;
  forgetRemovedBranch(parent.path, binding!.binding_id);
}

/** The record in a directory; undefined where there is none of ours that can be read. */
function bindingOf(path: string): Binding | undefined {
  try {
    return readBinding(path);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** @throws {StateError} `locked` when a live worker has the directory */
function requireUnused(path: string): void {
  const holder = findLockHolder(path);
  if (holder === undefined) return;
  const message = `Cleanup blocked: diff directory in use by ${describeHolder(holder)}`;
  throw new DiffLockedError(path, holder, message);
}

/**
 * Refuses to empty a directory that is not known to be a diff directory: a mistyped `-d` must not
 * delete other files.
 */
function checkIsDiff(path: string, names: readonly string[]): void {
  const bindingPath = `${path}/${BINDING_FILE_NAME}`;
  const text = readSmallTextFile(bindingPath);
  if (text !== undefined) {
    const binding = parseOwn(text, bindingPath);
    // A promotion that is complete leaves nothing here that it needs.
    const isPlaced = binding && promotionOf(binding, path)?.state === "placed";
    if (binding !== undefined && !isPlaced) requireNotPromoted(binding, path, "empty");
    return;
  }
  const stranger = names.includes(LOCK_FILE_NAME)
    ? LOCK_FILE_NAME
    : names.find((name) => !KNOWN_NAMES.has(name));
  if (stranger === undefined) return;
  throw new StateError(
    "foreign-diff",
    `Cleanup blocked: "${path}" has "${stranger}" but no binding`,
    { hint: "Empty it all the same if it is a diff directory", option: "force" },
  );
}

/** @returns undefined for a damaged record: a good reason to clean up */
function parseOwn(text: string, path: string): Binding | undefined {
  try {
    return parseBinding(text, path);
  } catch (error) {
    if (error instanceof StateError) throw error;
    return undefined;
  }
}

function openDirectory(directory: number, name: string): number {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY | host.OpenFlag.NOFOLLOW;
  return host.openAt(directory, name, flags);
}

function removeAll(fd: number, path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.statFd(fd, stat), "stat", path);
  const removed = removeContents(fd, path, stat.device, 0);
  host.unwrap(host.fsync(fd), "fsync", path);
  // Last: as long as anything is left, it is known to be a diff directory.
  const hadBinding = host.unlinkAt(fd, BINDING_FILE_NAME) === 0;
  host.unwrap(host.fsync(fd), "fsync", path);
  return removed + (hadBinding ? 1 : 0);
}

function removeContents(fd: number, path: string, device: number, depth: number): number {
  if (depth > DEPTH_MAX) throw new OsError(host.Errno.ELOOP, "remove", path);
  let removed = 0;
  const stat = new host.HostStat();
  const entries = readHostDirectory(fd);
  const hasLockFile = entries.some(({ name }) => name === LOCK_FILE_NAME);
  if (depth > 0 && hasLockFile) requireUnused(path);
  for (const { name } of entries) {
    // The record, and the lock that is held meanwhile, go last.
    if (depth === 0 && (name === LOCK_FILE_NAME || name === BINDING_FILE_NAME)) continue;
    const inner = `${path}/${name}`;
    host.unwrap(host.statAt(fd, name, stat), "stat", inner);
    if (stat.device !== device) {
      throw new StateError("busy", `Cleanup blocked: "${inner}" is a mount point`, {
        hint: "Unmount it first",
      });
    }
    if ((stat.mode & FileType.MASK) === FileType.DIRECTORY) {
      removed += removeDirectory(fd, name, inner, device, depth);
    } else {
      host.unwrap(host.unlinkAt(fd, name), "remove", inner);
    }
    removed += 1;
  }
  return removed;
}

function removeDirectory(
  parent: number,
  name: string,
  path: string,
  device: number,
  depth: number,
): number {
  let fd = openDirectory(parent, name);
  if (fd === -host.Errno.EACCES) {
    // The server's own modes; an ordinary user who owns the diff may give himself access.
    host.unwrap(host.chmodAt(parent, name, 0o700), "chmod", path);
    fd = openDirectory(parent, name);
  }
  host.unwrap(fd, "open", path);
  try {
    const removed = removeContents(fd, path, device, depth + 1);
    host.unwrap(host.rmdirAt(parent, name), "remove directory", path);
    return removed;
  } finally {
    host.close(fd);
  }
}
