/**
 * How the builder reaches the files of a directory: by system calls (`native_source.ts`), by the
 * runtime's own calls (`plain_source.ts`), or in whichever way a program has. Nothing here needs
 * files of this computer.
 *
 * Calls return a value or a negative errno, like those of `ffi/libc/`. A `stat` that is handed in
 * gets all of mode, nlink, uid, gid, ino, device, size, blocks, rdev and the time of modification:
 * it is used for one entry after the other.
 *
 * @module
 */

import type { HostStat } from "#ffi/libc/calls.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { BuildReportBuilder } from "./report.ts";

/** A name in a directory. */
export interface SourceEntryName {
  readonly name: string;
  /** One of `EntryType`; where that costs a call it may be `UNKNOWN`. */
  readonly type: number;
}

/**
 * An open directory. Names in it are looked up in this very directory, wherever it is moved
 * meanwhile.
 */
export interface SourceDirectory {
  /**
   * Calls `take` for all names but `.` and `..`, in no order. @param take gets the type as in
   * {@link SourceEntryName}
   */
  list(take: (name: string, type: number) => void): number;
  /** Attributes of a name; links are not followed. */
  stat(name: string, stat: HostStat): number;
  /** Opens a regular file; what is no regular file gives EISDIR, ELOOP, ENXIO … */
  openFile(name: string, stat: HostStat): SourceFile | number;
  /**
   * Opens a regular file by its path from this directory, in which names are separated by slashes;
   * left out where that takes as many calls as there are names.
   */
  openFileBelow?(path: string, stat: HostStat): SourceFile | number;
  /** Opens a directory in this one. */
  openDirectory(name: string, stat: HostStat): SourceDirectory | number;
  /** Target of a symbolic link. */
  readLink(name: string): string | number;
  /** Metadata of this directory. */
  metadata(stat: HostStat, path: string): Metadata;
  /**
   * Whether the file system of this directory is made up by the kernel; left out where that cannot
   * be told.
   */
  isPseudo?(): boolean;
  /** Closes the directory; files opened in it stay open. */
  close(): void;
}

/** An open regular file. */
export interface SourceFile {
  /** Descriptor, where there is one: a sink may copy the content from it. */
  readonly fd?: number | undefined;
  /** Metadata of this file. */
  metadata(stat: HostStat, path: string): Metadata;
  /** Reads up to `target.length` bytes at `offset`. */
  read(target: Uint8Array, offset: number): number;
  /**
   * Where data begin at or behind `offset` of a file with holes, and where they end. @returns false
   * when nothing is known
   */
  findData?(offset: number, extent: DataExtent): boolean;
  /** Closes the file; a failure has no consequence for what was read. */
  close(): void;
}

/** Access to directories. */
export interface BuildSource {
  /** Opens the directory to archive; a symbolic link is ELOOP. */
  openRoot(path: string, stat: HostStat): SourceDirectory | number;
  /** Owner of files that the builder makes up: that of the process. */
  readonly uid: number;
  /** Group of files that the builder makes up. */
  readonly gid: number;
}

/** A part of a file that is no hole. */
export interface DataExtent {
  /** Offset of the first byte of data. */
  start: number;
  /** Offset behind the last one; a hole follows, or the end. */
  end: number;
}

/** What of the metadata is read. */
export interface MetadataOptions {
  /** Extended attributes; without them neither file capabilities nor ACLs. */
  readonly xattrs: boolean;
  /** File capabilities, `security.capability`. */
  readonly fcaps: boolean;
  /** POSIX ACLs of access, and the default ones of directories. */
  readonly acls: boolean;
  /**
   * Whether an xattr that is too big for the kernel's call is left out; otherwise it ends the
   * build.
   */
  readonly skipsLargeXattrs: boolean;
  /** Is told of an xattr that is too big, in place of either. @param message for people */
  readonly onLargeXattr?: ((message: string) => void) | undefined;
}

/** What a source is made for. */
export interface BuildSourceOptions extends MetadataOptions {
  /**
   * Contents of files that were not changed since, in seconds since 1970, will probably not be
   * read, with `never` none; for sources that read ahead. Undefined: all will be.
   */
  readonly readsSinceSeconds?: number | "never" | undefined;
}

/** Makes a source that reports attributes it could not read. */
export type MakeBuildSource = (
  options: BuildSourceOptions,
  report: BuildReportBuilder,
) => BuildSource;

const NO_XATTRS: readonly never[] = [];

/** The part of the metadata that stat(2) gives. */
export function statMetadata(stat: HostStat): Metadata {
  return {
    mode: stat.mode,
    flags: 0n,
    uid: stat.uid,
    gid: stat.gid,
    mtime: { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds },
    xattrs: NO_XATTRS,
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
  };
}
