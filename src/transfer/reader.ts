/**
 * What everything in here reads from: a tree whose entries have all the metadata an archive can
 * hold.
 *
 * A {@link TreeReader} is made from an archive (`archive_reader.ts`), from any `Tree`
 * (`tree_reader.ts`) or from other readers (`compose.ts`). Entries are read when they are asked
 * for, contents only by {@link ReaderFile.open}.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";

/** A part of what is known of an entry beside its content. */
export type MetadataField =
  | "mode"
  | "uid"
  | "gid"
  | "mtime"
  | "flags"
  | "xattrs"
  | "acl"
  | "fcaps"
  | "projectId"
  | "links";

/** All fields, in the order in which differences are told. */
export const METADATA_FIELDS: readonly MetadataField[] = [
  "mode",
  "uid",
  "gid",
  "mtime",
  "flags",
  "xattrs",
  "acl",
  "fcaps",
  "projectId",
  "links",
];

/** Where the bytes of a file lie. */
export interface PayloadRange {
  /** In the archive itself, or in the payload stream of a split archive. */
  readonly stream: "archive" | "payload";
  /** Offset of the first byte of the content, behind its header. */
  readonly offset: number;
  /** Length of the content in bytes, padding not counted. */
  readonly size: number;
}

/** What all entries have. */
export interface ReaderEntryBase {
  /**
   * The reader the entry was first read by; with {@link ReaderEntryBase.id} it names the entry,
   * through any number of compositions.
   */
  readonly origin: object;
  /** The same for all names of one hard-linked file. */
  readonly id: number;
  /** Owner, mode, times, and what {@link TreeReader.knownFields} names besides. */
  readonly metadata: PxarMetadata;
}

/** A directory. */
export interface ReaderDirectory extends ReaderEntryBase {
  /** Tells directories from other entries. */
  readonly kind: "directory";
  /** The entry called `name`, or undefined. */
  lookup(name: string): ReaderEntry | undefined;
  /**
   * All entries in ascending byte order of their names.
   *
   * @param onDamage hears why there may be more than could be read; unless given, that is thrown
   */
  children(onDamage?: (damage: Error) => void): readonly NamedEntry[];
}

/** A regular file. */
export interface ReaderFile extends ReaderEntryBase {
  /** Tells regular files from other entries. */
  readonly kind: "file";
  /** Length of the content in bytes. */
  readonly size: number;
  /**
   * How many names the file has where the reader knows that, which may be after it was asked about
   * many files.
   */
  readonly linkCount: number | undefined;
  /** Where the content lies in an archive; undefined outside of archives. */
  readonly payload: PayloadRange | undefined;
  /** Opens the content. The caller closes it. */
  open(): ReaderContent;
}

/** A symbolic link. */
export interface ReaderSymlink extends ReaderEntryBase {
  /** Tells symbolic links from other entries. */
  readonly kind: "symlink";
  /** Where it leads, as it was stored; it may lead nowhere. */
  readonly target: string;
}

/** A device node; the mode tells of which type. */
export interface ReaderDevice extends ReaderEntryBase {
  /** Tells device nodes from other entries. */
  readonly kind: "device";
  /** Number of the driver; of 64 bits, as archives store it. */
  readonly major: bigint;
  /** Number of the device at its driver. */
  readonly minor: bigint;
}

/** A FIFO or a socket. */
export interface ReaderSpecial extends ReaderEntryBase {
  /** Which of the two it is. */
  readonly kind: "fifo" | "socket";
}

/** An entry of any type. Hard links are told by equal {@link ReaderEntryBase.id}s. */
export type ReaderEntry =
  | ReaderDirectory
  | ReaderFile
  | ReaderSymlink
  | ReaderDevice
  | ReaderSpecial;

/** An entry under one of its names. */
export interface NamedEntry {
  /** Without slashes, neither empty nor `.` or `..`. */
  readonly name: string;
  /** What the name stands for. */
  readonly entry: ReaderEntry;
}

/** The bytes of an open file. */
export interface ReaderContent {
  /**
   * Reads up to `target.length` bytes at `offset`. Short only at the end. @returns the count, 0 at
   * the end
   */
  readAt(target: Uint8Array, offset: number): number;
  /** Ends the use of the content; nothing may be read afterwards. */
  close(): void;
}

/**
 * A tree to read from. It must not change meanwhile; closing what is below it is the maker's
 * business.
 */
export interface TreeReader {
  /** The directory that all paths start at. */
  readonly root: ReaderDirectory;
  /** What this reader knows at all: a comparison leaves out the rest. */
  readonly knownFields: ReadonlySet<MetadataField>;
  /** Times are exact to this many nanoseconds. */
  readonly mtimePrecisionNs: number;
  /** The prelude of a split archive. */
  readonly prelude: Uint8Array | undefined;
}

/**
 * The children of a directory that can be read, none where it cannot be. @param onDamage hears once
 * of what may be missing
 */
export function childrenSeen(
  directory: ReaderDirectory,
  onDamage: (damage: Error) => void,
): readonly NamedEntry[] {
  try {
    return directory.children(onDamage);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    onDamage(error);
    return [];
  }
}
