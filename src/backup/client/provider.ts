/**
 * The file system of another host, as far as a backup asks for it. The host that backs up walks and
 * decides; the client only answers, and never writes.
 *
 * Paths are the client's: absolute, names as in `bytes/file_name.ts`. Any number of calls may be
 * under way at a time, and their answers may come in any order: on a slow way that is what makes a
 * backup fast. What is wrong with one path is an `OsError` with its errno (ENOENT, EACCES …) and
 * costs that entry; anything else that is thrown ends the backup. Nothing that comes from a
 * provider is trusted (`checked_provider.ts`).
 *
 * @module
 */

import type { Metadata, MetadataField } from "#src/tree/metadata.ts";

/** All that is known of an entry of a client, but its content. */
export interface ClientEntry {
  /** Name in its directory; of what was asked for by its path the last one of that. */
  readonly name: string;
  /** Mode with type bits, owner, time of modification, xattrs, ACLs … */
  readonly metadata: Metadata;
  /** Number of names of it. */
  readonly linkCount: number;
  /** Inode number: tells files with several names from others of the same device. */
  readonly ino: number;
  /** Device number of its file system; of a mount point that of what is mounted there. */
  readonly device: number;
  /** Length of a regular file. */
  readonly sizeBytes: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks: number;
  /** Device number of a device node in the kernel's 32-bit form. */
  readonly rdev: number;
  /** Last change of content or attributes, seconds since 1970; undefined where it is not known. */
  readonly ctimeSeconds: number | undefined;
  /** Target of a symbolic link. */
  readonly target: string | undefined;
  /** Why a file or directory cannot be opened: its metadata are what stat(2) says. */
  readonly openErrno: number | undefined;
  /** Attributes that could not be read: the entry is without them. */
  readonly problems: readonly AttributeProblem[];
}

/** An attribute that could not be read. */
export interface AttributeProblem {
  /** For people: `Cannot read extended attribute user.a: EIO`. */
  readonly message: string;
  /** Whether it is too big for the system's own call, which ends a backup unless it is allowed. */
  readonly isTooLarge: boolean;
}

/** A part of a directory's listing. */
export interface ClientPage {
  /** Some entries, in no order, never `.` and `..`. At most {@link PAGE_ENTRIES_MAX}. */
  readonly entries: readonly ClientEntry[];
  /** Names that are there but could not be looked at. */
  readonly failures: readonly ClientFailure[];
  /** The directory itself, in the first page, by those who know it. */
  readonly self?: ClientDirectory | undefined;
}

/** A name in a directory that could not be looked at. */
export interface ClientFailure {
  /** Name in the directory. */
  readonly name: string;
  /** Why: the errno of stat(2). */
  readonly errno: number;
}

/** A directory as it was when it was opened. */
export interface ClientDirectory {
  /** Its attributes. */
  readonly entry: ClientEntry;
  /** Whether its file system is made up by the kernel, as /proc is. */
  readonly isPseudo: boolean;
}

/** Entries and failures of one page. */
export const PAGE_ENTRIES_MAX = 1024;

/** Some of the content of a file: bytes, or a hole, which is zeros that need not travel. */
export type ContentPiece = Uint8Array | ContentHole;

/** Zeros. */
export interface ContentHole {
  /** How many. */
  readonly holeBytes: number;
}

/** How many bytes of the content a piece is. */
export function pieceSize(piece: ContentPiece): number {
  return piece instanceof Uint8Array ? piece.length : piece.holeBytes;
}

/** An open regular file. */
export interface ClientFile {
  /**
   * The file that was opened, which may be another one than a listing had under its name; undefined
   * where that is not known.
   */
  readonly entry: ClientEntry | undefined;
  /**
   * The content from the offset on, at most as long as asked for; it ends early where the file
   * does. Read once, in order: the client sends no more than is taken. Returning early ends the
   * call; whoever gets the file asks for the first piece at least.
   */
  readonly content: AsyncIterable<ContentPiece>;
  /** Whether bytes come with their memory, which the caller may free. Default: false. */
  readonly givesAway?: boolean | undefined;
}

/** Which part of a file is read. */
export interface ContentRange {
  /** Of the first byte. */
  readonly offsetBytes: number;
  /** `all`: to the end. */
  readonly lengthBytes: number | "all";
}

/** What a client can tell of its entries. */
export interface ClientCapabilities {
  /** Without FFI nobody knows xattrs: that a file has none is not said then. */
  readonly knownFields: ReadonlySet<MetadataField>;
  /** Times are exact to this many nanoseconds. */
  readonly mtimePrecisionNs: number;
  /** Owner of files that the backup makes up: that of the process that reads. Default: 0. */
  readonly uid?: number;
  /** Group of these files. */
  readonly gid?: number;
}

/** Access to the files of a client. */
export interface ClientProvider {
  /** What is known of its entries; asked once. Left out: everything. */
  capabilities?(signal?: AbortSignal): Promise<ClientCapabilities>;
  /** One entry; links are not followed. @throws {OsError} */
  stat(path: string, signal?: AbortSignal): Promise<ClientEntry>;
  /**
   * The entries of a directory; a link to one is ELOOP. Taken page by page: the client sends no
   * more than is taken. @throws {OsError}
   */
  readDirectory(path: string, signal?: AbortSignal): AsyncIterable<ClientPage>;
  /** Opens and reads a regular file; what is none is ENXIO, a link ELOOP. @throws {OsError} */
  readFile(path: string, range: ContentRange, signal?: AbortSignal): Promise<ClientFile>;
  /** Ends the connection; calls under way fail. */
  close(): void | Promise<void>;
}
