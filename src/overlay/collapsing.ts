/**
 * Unwrapping in place: header and maps are cut out of the file (`FALLOC_FL_COLLAPSE_RANGE`), under
 * all its names at once.
 *
 * ext4 does that in steps: the range becomes a hole, then one leaf of the tree of extents after the
 * other is moved, the last with the file's size. Between the steps a power cut may come. So only a
 * file is taken whose extents are in one leaf, or in the inode: then its size says whether the move
 * was made. And before it begins, the file gets one more name, in `unwrapping/`, which says what is
 * done to it; what is found there at the next start is finished first. That name goes, durably,
 * before anybody uses the file again.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { mapExtents } from "#ffi/libc/extents.ts";
import { getFileSystemMagic } from "#ffi/libc/metadata.ts";
import { FormatError } from "#src/errors.ts";
import type { CompleteFile } from "./complete_file.ts";
import { readHostDirectory } from "./host_directory.ts";
import { MAGIC } from "./partial_file.ts";

const { Errno, OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/** In the diff directory: files that are being unwrapped. */
export const UNWRAPPING_DIRECTORY_NAME = "unwrapping";

const EXT4_MAGIC = 0xef53;
/** More do not fit into one leaf of 4 KiB. */
const EXTENTS_MAX = 340;

/** A file to unwrap. */
export interface OpenComplete {
  /** Open for writing. */
  readonly fd: number;
  readonly file: CompleteFile;
}

/** Whether a complete file can be unwrapped in place, in one step of its file system. */
export function isCollapsible(fd: number, { dataOffset }: CompleteFile): boolean {
  if (getFileSystemMagic(fd) !== EXT4_MAGIC) return false;
  const extents = mapExtents(fd, EXTENTS_MAX + 1);
  const stat = new host.HostStat();
  if (typeof extents === "number" || host.statFd(fd, stat) < 0) return false;
  if (dataOffset % stat.blockSizeBytes !== 0 || extents.count > EXTENTS_MAX) return false;
  // What it takes beside its bytes: one block at most, which is the leaf.
  return stat.blocks * 512 - extents.sizeBytes <= stat.blockSizeBytes;
}

/**
 * Unwraps files that {@link isCollapsible}, durably.
 *
 * @returns those that their file system refused to, unchanged
 * @throws {OsError} those that were begun are finished by {@link finishCollapsing}
 */
export function collapseAll(diffPath: string, files: readonly OpenComplete[]): OpenComplete[] {
  const directory = makeDirectory(diffPath);
  try {
    for (const { fd, file } of files) {
      const noted = host.linkAt(
        host.At.FDCWD,
        `/proc/self/fd/${fd}`,
        directory,
        formatIntent(file),
        true,
      );
      if (noted !== -Errno.EEXIST) host.unwrap(noted, "link", UNWRAPPING_DIRECTORY_NAME);
    }
    host.unwrap(host.fsync(directory), "sync", UNWRAPPING_DIRECTORY_NAME);
    const refused = files.filter(({ fd, file }) => !collapse(fd, intentOf(file)));
    for (const { fd } of files) host.unwrap(host.fsync(fd), "sync", "file of the diff");
    for (const { file } of files) forget(directory, formatIntent(file));
    host.unwrap(host.fsync(directory), "sync", UNWRAPPING_DIRECTORY_NAME);
    return refused;
  } finally {
    host.close(directory);
  }
}

/**
 * Finishes what a kill or power cut has interrupted, before anything of the diff is used. Wants the
 * diff's lock.
 *
 * @throws {FormatError} when a file is none of the two that it can be
 * @throws {OsError}
 */
export function finishCollapsing(diffPath: string): void {
  const path = `${diffPath}/${UNWRAPPING_DIRECTORY_NAME}`;
  const directory = host.open(path, DIRECTORY_FLAGS);
  if (directory === -Errno.ENOENT) return;
  host.unwrap(directory, "open", path);
  try {
    for (const { name } of readHostDirectory(directory)) {
      finish(directory, name, `${path}/${name}`);
    }
    host.unwrap(host.fsync(directory), "sync", path);
  } finally {
    host.close(directory);
  }
  host.unwrap(host.rmdir(path), "remove directory", path);
}

function finish(directory: number, name: string, path: string): void {
  const intent = parseIntent(name);
  if (intent === undefined) {
    throw new FormatError("Cannot go on with the diff directory: unknown name", { path });
  }
  const fd = host.openAt(directory, name, OpenFlag.RDWR | OpenFlag.NOFOLLOW);
  host.unwrap(fd, "open", path);
  try {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    const isMoved = stat.size === intent.size - intent.dataOffset;
    if (!isMoved && !(stat.size === intent.size && mayHaveHeader(fd, true))) {
      throw new FormatError("Cannot go on with a file of the diff directory: it was changed", {
        path,
        offset: 0,
      });
    }
    if (isMoved) setTimes(fd, intent);
    else collapse(fd, intent);
    host.unwrap(host.fsync(fd), "sync", path);
  } finally {
    host.close(fd);
  }
  forget(directory, name);
}

/** @returns whether the file system did it; if not, the file is as it was @throws {OsError} */
function collapse(fd: number, intent: Intent): boolean {
  const { dataOffset, size } = intent;
  const result = dataOffset === size
    ? host.ftruncate(fd, 0)
    : host.fallocate(fd, host.Fallocate.COLLAPSE_RANGE, 0, dataOffset);
  if (result < 0 && mayHaveHeader(fd, false)) return false;
  host.unwrap(result, "unwrap", "file of the diff");
  setTimes(fd, intent);
  return true;
}

/** @param orHole or the place of it is empty already */
function mayHaveHeader(fd: number, orHole: boolean): boolean {
  const { bytes, address } = host.allocateNativeBuffer(MAGIC.length);
  if (host.preadFully(fd, address, bytes.length, 0) < bytes.length) return false;
  return MAGIC.every((byte, index) => byte === bytes[index]) ||
    orHole && bytes.every((byte) => byte === 0);
}

function makeDirectory(diffPath: string): number {
  const path = `${diffPath}/${UNWRAPPING_DIRECTORY_NAME}`;
  const made = host.mkdir(path, 0o700);
  if (made === 0) {
    const parent = host.unwrap(host.open(diffPath, DIRECTORY_FLAGS), "open", diffPath);
    const synced = host.fsync(parent);
    host.close(parent);
    host.unwrap(synced, "sync", diffPath);
  } else if (made !== -Errno.EEXIST) {
    host.unwrap(made, "make directory", path);
  }
  return host.unwrap(host.open(path, DIRECTORY_FLAGS), "open", path);
}

function forget(directory: number, name: string): void {
  host.unwrap(host.unlinkAt(directory, name), "remove", `${UNWRAPPING_DIRECTORY_NAME}/${name}`);
}

/** What the name in `unwrapping/` says, in this order: how the file was. */
const INTENT_FIELDS = [
  "ino",
  "size",
  "dataOffset",
  "atimeSeconds",
  "atimeNanoseconds",
  "mtimeSeconds",
  "mtimeNanoseconds",
] as const;

type Intent = Record<typeof INTENT_FIELDS[number], number>;

function intentOf({ dataOffset, stat }: CompleteFile): Intent {
  return { ...stat, dataOffset };
}

function formatIntent(file: CompleteFile): string {
  const intent = intentOf(file);
  return INTENT_FIELDS.map((field) => intent[field]).join(",");
}

function parseIntent(name: string): Intent | undefined {
  const numbers = name.split(",").map(Number);
  const isComplete = numbers.length === INTENT_FIELDS.length && numbers.every(Number.isSafeInteger);
  if (!isComplete) return undefined;
  const intent = Object.fromEntries(
    INTENT_FIELDS.map((field, index) => [field, numbers[index]!]),
  ) as Intent;
  return intent.dataOffset > 0 && intent.size >= intent.dataOffset ? intent : undefined;
}

function setTimes(fd: number, intent: Intent): void {
  const { atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds } = intent;
  host.utimensAt(fd, "", atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds);
}
