/**
 * Directories read by the runtime's own calls, for runs without FFI.
 *
 * There are paths instead of descriptors, so that somebody who may write in the source directory
 * can swap a directory for a link between two calls. Attributes, xattrs, ACLs, file capabilities
 * and project ids cannot be had, times are exact to a millisecond, holes are read, pseudo file
 * systems are not recognized, and what has a name that is not UTF-8 is left out.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import * as fs from "node:fs";
import { Errno, type HostStat, OsError } from "#ffi/libc/calls.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { type BuildSource, type SourceDirectory, type SourceFile, statMetadata } from "./source.ts";

/** Makes a source of the runtime's calls. See {@link MakeBuildSource}. */
export function makePlainSource(): BuildSource {
  return {
    uid: 0,
    gid: 0,
    openRoot: (path, stat) => openDirectory(path, stat),
  };
}

/** The value of a call, or its errno. */
function attempt<Result>(call: string, run: () => Result): Result | number {
  try {
    return callRuntime(call, "", run);
  } catch (error) {
    if (error instanceof OsError) return -error.errno;
    throw error;
  }
}

function openDirectory(path: string, stat: HostStat): SourceDirectory | number {
  const result = statPath(path, stat);
  if (result < 0) return result;
  if (entryType(stat.mode) === EntryType.SYMLINK) return -Errno.ELOOP;
  return entryType(stat.mode) === EntryType.DIRECTORY ? new FsDirectory(path) : -Errno.ENOTDIR;
}

class FsDirectory implements SourceDirectory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  list(take: (name: string, type: number) => void): number {
    const entries = attempt("list", () => fs.readdirSync(this.#path, { withFileTypes: true }));
    if (typeof entries === "number") return entries;
    const replaced = new Set<string>();
    for (const entry of entries) {
      const type = entry.isDirectory()
        ? EntryType.DIRECTORY
        : entry.isFile()
        ? EntryType.FILE
        : EntryType.UNKNOWN;
      take(distinctName(entry.name, replaced), type);
    }
    return 0;
  }

  stat(name: string, stat: HostStat): number {
    return statPath(this.#join(name), stat);
  }

  openFile(name: string, stat: HostStat): SourceFile | number {
    const path = this.#join(name);
    const result = statPath(path, stat);
    if (result < 0) return result;
    if (entryType(stat.mode) !== EntryType.FILE) return -Errno.ENXIO;
    const fd = attempt("open", () => fs.openSync(path, "r"));
    if (fd < 0) return fd;
    return {
      fd,
      metadata: statMetadata,
      read: (target, offset) =>
        attempt("read", () => fs.readSync(fd, target, 0, target.length, offset)),
      close: () => fs.closeSync(fd),
    };
  }

  openDirectory(name: string, stat: HostStat): SourceDirectory | number {
    return openDirectory(this.#join(name), stat);
  }

  readLink(name: string): string | number {
    return attempt("read link", () => fs.readlinkSync(this.#join(name)));
  }

  metadata(stat: HostStat): Metadata {
    return statMetadata(stat);
  }

  close(): void {}

  #join(name: string): string {
    return `${this.#path}/${name}`;
  }
}

/** Stands for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

const SECOND_NS = 1_000_000_000n;

function statPath(path: string, out: HostStat): number {
  const stat = attempt("stat", () => fs.lstatSync(path, { bigint: true }));
  if (typeof stat === "number") return stat === -Errno.ENOENT ? missingAt(path) : stat;
  out.mode = Number(stat.mode);
  out.nlink = Number(stat.nlink);
  out.uid = Number(stat.uid);
  out.gid = Number(stat.gid);
  out.ino = Number(stat.ino);
  out.size = Number(stat.size);
  out.blocks = Number(stat.blocks);
  out.rdev = Number(stat.rdev);
  out.device = Number(stat.dev);
  const nanoseconds = ((stat.mtimeNs % SECOND_NS) + SECOND_NS) % SECOND_NS;
  out.mtimeSeconds = Number((stat.mtimeNs - nanoseconds) / SECOND_NS);
  out.mtimeNanoseconds = Number(nanoseconds);
  return 0;
}

/**
 * Names that are not UTF-8 may be listed as others are: each but one of these gets a name that is
 * not there.
 */
function distinctName(listed: string, replaced: Set<string>): string {
  if (!listed.includes(REPLACEMENT)) return listed;
  let name = listed;
  while (replaced.has(name)) name += REPLACEMENT;
  replaced.add(name);
  return name;
}

/**
 * Names that are not UTF-8 are listed with other characters instead, under which nothing is found.
 */
function missingAt(path: string): number {
  return path.includes(REPLACEMENT, path.lastIndexOf("/")) ? -Errno.EILSEQ : -Errno.ENOENT;
}
