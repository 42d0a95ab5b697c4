/**
 * Unwrapping in place: header and maps are cut out of the file (`FALLOC_FL_COLLAPSE_RANGE`), under
 * all its names at once.
 *
 * ext4 does that in steps: the range becomes a hole, then one leaf of the tree of extents after the
 * other is moved, the last with the file's size. Between the steps a power cut may come. So before
 * it begins, the file gets one more name, in `unwrapping/`, which says how it was; and where its
 * extents are in more than one leaf, a file beside that name says where they were
 * (`extent_record.ts`). What is found there at the next start is finished first. That name goes,
 * durably, before anybody uses the file again.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { type Extent, mapExtents } from "#ffi/libc/extents.ts";
import { getFileSystemMagic } from "#ffi/libc/metadata.ts";
import { FormatError, OsError } from "#src/errors.ts";
import type { CompleteFile } from "./complete_file.ts";
import { EXTENTS_MAX, readExtentRecord, unmovedFrom, writeExtentRecord } from "./extent_record.ts";
import { readHostDirectory } from "./host_directory.ts";
import { MAGIC } from "./partial_file.ts";

const { Errno, OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/** In the diff directory: files that are being unwrapped. */
export const UNWRAPPING_DIRECTORY_NAME = "unwrapping";

const EXT4_MAGIC = 0xef53;
/** Behind the name of a file in that directory: where its extents were. */
const RECORD_SUFFIX = ".extents";

/** A file to unwrap. */
export interface OpenComplete {
  /** Open for writing. */
  readonly fd: number;
  readonly file: CompleteFile;
}

/** Whether a complete file can be unwrapped in place. */
export function isCollapsible(fd: number, { dataOffset }: CompleteFile): boolean {
  if (getFileSystemMagic(fd) !== EXT4_MAGIC) return false;
  const stat = new host.HostStat();
  if (host.statFd(fd, stat) < 0 || dataOffset % stat.blockSizeBytes !== 0) return false;
  return typeof mapExtents(fd, EXTENTS_MAX) !== "number";
}

/**
 * Whether all extents of a file are in one leaf, or in the inode: beside its bytes it takes one
 * block at most.
 */
function isOneStep(fd: number, extents: readonly Extent[]): boolean {
  const stat = new host.HostStat();
  host.unwrap(host.statFd(fd, stat), "stat", "file of the diff");
  const sizeBytes = extents.reduce((sum, { length }) => sum + length, 0);
  return stat.blocks * 512 - sizeBytes <= stat.blockSizeBytes;
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
    const names = files.map((each) => note(diffPath, directory, each));
    host.unwrap(host.fsync(directory), "sync", UNWRAPPING_DIRECTORY_NAME);
    const refused = files.filter(({ fd, file }) => !cut(fd, intentOf(file)));
    for (const { fd } of files) host.unwrap(host.fsync(fd), "sync", "file of the diff");
    for (const name of names) forget(directory, name);
    host.unwrap(host.fsync(directory), "sync", UNWRAPPING_DIRECTORY_NAME);
    return refused;
  } finally {
    host.close(directory);
  }
}

/** Says what is about to be done to a file. @returns the name that says so */
function note(diffPath: string, directory: number, { fd, file }: OpenComplete): string {
  const name = formatIntent(file);
  const extents = mapExtents(fd, EXTENTS_MAX);
  if (typeof extents === "number") throw new OsError(-extents, "map", "file of the diff");
  if (!isOneStep(fd, extents)) {
    const path = `${diffPath}/${UNWRAPPING_DIRECTORY_NAME}`;
    writeExtentRecord(path, name + RECORD_SUFFIX, extents);
  }
  const noted = host.linkAt(host.At.FDCWD, `/proc/self/fd/${fd}`, directory, name, true);
  if (noted !== -Errno.EEXIST) host.unwrap(noted, "link", UNWRAPPING_DIRECTORY_NAME);
  return name;
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
    const names = readHostDirectory(directory).map(({ name }) => name);
    const isRecord = (name: string) => /\.extents(?:\.new)?$/u.test(name);
    for (const name of names.filter((each) => !isRecord(each))) {
      finish(directory, name, `${path}/${name}`);
    }
    // Those of files that nothing was done to.
    for (const name of names.filter(isRecord)) host.unlinkAt(directory, name);
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
    if (!isMoved && stat.size !== intent.size) throw changedError(path);
    if (isMoved) setTimes(fd, intent);
    else cutRest(fd, intent, path);
    host.unwrap(host.fsync(fd), "sync", path);
  } finally {
    host.close(fd);
  }
  forget(directory, name);
}

function changedError(path: string): FormatError {
  return new FormatError("Cannot go on with a file of the diff directory: it was changed", {
    path,
    offset: 0,
  });
}

/** Goes on with a file that has its size still. */
function cutRest(fd: number, intent: Intent, path: string): void {
  const record = readExtentRecord(path + RECORD_SUFFIX);
  if (record === undefined) {
    if (!mayHaveHeader(fd, true)) throw changedError(path);
    cut(fd, intent);
    return;
  }
  const { dataOffset, size } = intent;
  const extents = mapExtents(fd, EXTENTS_MAX);
  if (typeof extents === "number") throw new OsError(-extents, "map", path);
  const unmoved = unmovedFrom(record, extents, dataOffset, path);
  if (unmoved === undefined) {
    host.unwrap(host.ftruncate(fd, size - dataOffset), "truncate", path);
  } else {
    // Before what was not moved there is room, as large as what is cut out.
    const room = unmoved - dataOffset;
    const isFree = room === 0 ||
      !extents.some(({ logical, length }) => logical < unmoved && logical + length > room);
    if (!isFree) throw changedError(path);
    cut(fd, intent, room);
  }
  setTimes(fd, intent);
}

/** @returns whether the file system did it; if not, the file is as it was @throws {OsError} */
function cut(fd: number, intent: Intent, start = 0): boolean {
  const { dataOffset, size } = intent;
  const result = dataOffset === size
    ? host.ftruncate(fd, 0)
    : host.fallocate(fd, host.Fallocate.COLLAPSE_RANGE, start, dataOffset);
  if (result < 0 && start === 0 && mayHaveHeader(fd, false)) return false;
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
  host.unlinkAt(directory, name + RECORD_SUFFIX);
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
