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
 * @throws {OsError} when a directory cannot be read
 * @throws {StateError} `not-found` when a symbolic link leads nowhere: what it led to may need
 *   chunks
 */
export function listIndexes(storePath: string): IndexListing {
  const indexes: FoundIndex[] = [];
  const listed = new Map<string, ListedDirectory>();
  const walk = (path: string) => {
    const found = listDirectory(path);
    if (found === undefined) return;
    const { directory, entries } = found;
    const key = `${directory.device}:${directory.ino}`;
    if (listed.has(key)) return;
    listed.set(key, directory);
    for (const { name, type } of entries) {
      if (name.startsWith(".") || (path === storePath && name === LOST_AND_FOUND)) continue;
      const child = `${path}/${name}`;
      if (typeBehind(child, type) === EntryType.DIRECTORY) walk(child);
      else if (isIndexName(name)) indexes.push(foundIndex(child, `${key}/${name}`));
    }
  };
  walk(storePath);
  indexes.sort((one, other) => one.path < other.path ? -1 : 1);
  return { indexes, isComplete: listed.values().every(isUnchanged) };
}

/** @param identity the directory itself, whatever its path, and the name in it */
function foundIndex(path: string, identity: string): FoundIndex {
  return { path, identity, open: () => openNativeSource(path) };
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

function isUnchanged({ path, device, ino, mtime }: ListedDirectory): boolean {
  const stat = new host.HostStat();
  return host.stat(path, stat) === 0 && stat.device === device &&
    stat.ino === ino && changeTime(stat) === mtime;
}

function changeTime({ mtimeSeconds, mtimeNanoseconds }: host.HostStat): string {
  return `${mtimeSeconds}.${mtimeNanoseconds}`;
}
