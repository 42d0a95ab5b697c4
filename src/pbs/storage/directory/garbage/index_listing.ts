/**
 * Where the index files of a datastore are, while others may move snapshots, groups and namespaces
 * about.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { type ListedEntry, listOpenDirectory } from "#src/io/files/open_directory.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { MANIFEST_NAME } from "../../../format/manifest.ts";
import { parseBackupTime } from "../../../format/snapshot_path.ts";
import { isIndexName } from "../../../reading/index_scan.ts";
import type { FoundIndex, IndexListing } from "../../garbage_support.ts";

/** The one directory that need not be readable: file systems make it. */
const LOST_AND_FOUND = "lost+found";

/** A directory, as it was when it was listed. */
interface ListedDirectory {
  readonly path: string;
  readonly device: number;
  readonly ino: number;
  readonly mtime: string;
}

/**
 * All index files of the datastore at `storePath`. Symbolic links to directories are followed,
 * since snapshots are listed and read through them, too.
 *
 * The listing is complete when no directory has changed since it was listed. A snapshot in the
 * making may: its indexes come from the backup that makes it, which has touched their chunks.
 *
 * @throws {OsError} when a directory cannot be read
 * @throws {StateError} `not-found` when a symbolic link leads nowhere: what it led to may need
 *   chunks
 */
export function listIndexes(storePath: string): IndexListing {
  const indexes: FoundIndex[] = [];
  const listed = new Set<string>();
  const settled: ListedDirectory[] = [];
  const walk = (path: string, isSnapshot: boolean) => {
    const found = listDirectory(path);
    if (found === undefined) return;
    const { directory, entries } = found;
    const key = keyOf(directory);
    if (listed.has(key)) return;
    listed.add(key);
    const isInTheMaking = isSnapshot && !entries.some(({ name }) => name === MANIFEST_NAME);
    if (!isInTheMaking) settled.push(directory);
    for (const { name, type } of entries) {
      if (name.startsWith(".") || (path === storePath && name === LOST_AND_FOUND)) continue;
      const child = `${path}/${name}`;
      if (typeBehind(child, type) === EntryType.DIRECTORY) {
        walk(child, parseBackupTime(name) !== undefined);
      } else if (isIndexName(name)) {
        indexes.push(foundIndex(directory, name));
      }
    }
  };
  walk(storePath, false);
  indexes.sort((one, other) => one.path < other.path ? -1 : 1);
  return { indexes, isComplete: settled.every(isUnchanged) };
}

/** An index, which is gone when another directory has the place of the one that it is in. */
function foundIndex(directory: ListedDirectory, name: string): FoundIndex {
  const path = `${directory.path}/${name}`;
  const open = () => {
    const source = openNativeSource(path);
    if (isInPlace(directory)) return source;
    source.close();
    throw new host.OsError(host.Errno.ENOENT, "open", path);
  };
  return { path, identity: `${keyOf(directory)}/${name}`, open };
}

/** The entries of a directory; undefined when it is gone. @throws {OsError} */
function listDirectory(
  path: string,
): { directory: ListedDirectory; entries: readonly ListedEntry[] } | undefined {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.open(path, RDONLY | DIRECTORY);
  if (fd === -host.Errno.ENOENT) return undefined;
  host.unwrap(fd, "open", path);
  try {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    const { device, ino } = stat;
    const directory = { path, device, ino, mtime: changeTime(stat) };
    return { directory, entries: listOpenDirectory(fd, path) };
  } finally {
    host.close(fd);
  }
}

/**
 * Type of what a symbolic link leads to, or the type itself; undefined when it is gone. @throws
 * {StateError | OsError}
 */
function typeBehind(path: string, type: number): number | undefined {
  if (type !== EntryType.UNKNOWN && type !== EntryType.SYMLINK) return type;
  const stat = new host.HostStat();
  const result = host.stat(path, stat);
  if (result === -host.Errno.ENOENT || result === -host.Errno.ELOOP) {
    if (host.lstat(path, stat) < 0) return undefined;
    throw new StateError("not-found", `Cannot collect garbage: "${path}" leads nowhere`, {
      hint: "What it led to may need chunks. Mount it, or remove the link",
    });
  }
  host.unwrap(result, "stat", path);
  return entryType(stat.mode);
}

/** The directory itself, whatever its path. */
function keyOf({ device, ino }: Pick<ListedDirectory, "device" | "ino">): string {
  return `${device}:${ino}`;
}

function isInPlace(directory: ListedDirectory): boolean {
  const stat = new host.HostStat();
  return host.stat(directory.path, stat) === 0 && keyOf(stat) === keyOf(directory);
}

function isUnchanged(directory: ListedDirectory): boolean {
  const stat = new host.HostStat();
  return host.stat(directory.path, stat) === 0 && keyOf(stat) === keyOf(directory) &&
    changeTime(stat) === directory.mtime;
}

function changeTime({ mtimeSeconds, mtimeNanoseconds }: host.HostStat): string {
  return `${mtimeSeconds}.${mtimeNanoseconds}`;
}
