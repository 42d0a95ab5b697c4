/**
 * The vocabulary all backup formats share: a backup is a {@link Tree} of {@link Node}s.
 *
 * A tree is immutable while it is open. Everything is synchronous, because a FUSE worker answers
 * the kernel inside one call. Names follow `bytes/file_name.ts`.
 *
 * @module
 */

import { FileType } from "#src/bytes/file_type.ts";
import { splitDeviceNumber } from "#src/bytes/device_number.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Metadata, MetadataField, Timestamp } from "./metadata.ts";

export { FileType };
export type { Timestamp };

/** What stat(2) tells of a node. */
export interface Attributes {
  /** `st_mode`: file type and permission bits. */
  readonly mode: number;
  /** Owner as the backup has it; names of users are not looked up. */
  readonly uid: number;
  /** Owning group as the backup has it. */
  readonly gid: number;
  /** Length of a file or of a link's target, in bytes; 0 for the rest. */
  readonly size: number;
  /**
   * Bytes of a file that may be other than zero, as far as that is known without reading; default:
   * all.
   */
  readonly dataBytes?: number;
  /** Last change of the content; other times are not kept by every format. */
  readonly mtime: Timestamp;
  /**
   * Number of names; 1 unless the format counts hard links, see {@link FileNode.linkCount}.
   */
  readonly nlink: number;
  /** Device number (Linux `dev_t`, 32 bits as the kernel sends it) of a device node, else 0. */
  readonly rdev: number;
}

/** What all nodes have. */
export interface NodeBase {
  /**
   * Where the node was first read: a tree, or a part of it. Together with {@link NodeBase.id} it
   * names the node, through any number of compositions.
   */
  readonly origin: object;
  /** A positive integer, the same for all names of one hard-linked file. */
  readonly id: number;
  /** Where the entry begins, in a tree that is an archive. */
  readonly offset?: number;
  /** The same as long as the tree is open: a tree does not change. */
  readonly attributes: Attributes;
  /** All metadata, also what {@link NodeBase.attributes} does not tell. */
  readonly metadata: Metadata;
  /** Extended attributes by full name (`user.x`). */
  xattrs(): ReadonlyMap<string, Uint8Array>;
}

/** A further name of a file, where a tree keeps it apart from the first one, as archives do. */
export interface StoredLink {
  /** Tells links from other entries. */
  readonly kind: "hardlink";
  /** Path of the file from the tree's root, without a leading slash. */
  readonly targetPath: string;
  /** Where the entry begins in the archive. */
  readonly offset: number;
}

/** One name in a directory. */
export interface DirectoryEntry {
  /** Without slashes, neither empty nor `.` or `..`. */
  readonly name: string;
  /**
   * Possibly read only when it is asked for, each time. @throws a `Failure` where this entry is
   * damaged
   */
  readonly node: Node;
  /** Set for a further name of a file; {@link DirectoryEntry.node} is that file. */
  readonly link?: StoredLink | undefined;
}

/** A directory. */
export interface DirectoryNode extends NodeBase {
  /** Tells directories from other nodes. */
  readonly kind: "directory";
  /** Number of entries, where that is known without reading them. */
  readonly entryCount?: number | undefined;
  /** The node called `name`, or undefined. `.` and `..` are never asked for. */
  lookup(name: string): Node | undefined;
  /**
   * The entry called `name`, whose {@link DirectoryEntry.link} tells a further name of a file; only
   * where the tree keeps such names apart.
   */
  lookupEntry?(name: string): DirectoryEntry | undefined;
  /**
   * All names, each once, without `.` and `..`, in a stable order.
   *
   * @param onDamage hears why there may be more than could be read, behind the last one that could;
   *   unless given, that is thrown
   */
  entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry>;
}

/** Where the bytes of a file lie in an archive. */
export interface PayloadRange {
  /** In the archive itself, or in the payload stream of a split archive. */
  readonly stream: "archive" | "payload";
  /** Offset of the first byte of the content, behind its header. */
  readonly offset: number;
  /** Length of the content. */
  readonly size: number;
}

/** Some of the bytes of a file. */
export interface ByteRange {
  /** Of the first byte. */
  readonly offset: number;
  /** Number of bytes, at least 1. */
  readonly size: number;
}

/** What a file that was changed in parts still has of another one. */
export interface KeptContent {
  /** The file that it was: the one that was first read, which has itself nothing of another one. */
  readonly node: FileNode;
  /**
   * Where both have the same bytes at the same offsets, as far as that is known without reading
   * them: in ascending order, apart from each other. May read what says so.
   *
   * @throws a `Failure` when that is damaged
   */
  ranges(): Iterable<ByteRange>;
}

/** What a backup says of a file that it stores as a whole. */
export interface StoredChecksum {
  /** CRC-32C of all bytes. */
  readonly crc32c: number;
  /** Path of the stored file. */
  readonly path: string;
  /** Backup that stores it. */
  readonly backupId: string;
}

/** A regular file. */
export interface FileNode extends NodeBase {
  /** Tells regular files from other nodes. */
  readonly kind: "file";
  /**
   * Number of names where the tree knows that, which may be after it was asked about many files;
   * otherwise equal ids tell.
   */
  readonly linkCount: number | undefined;
  /** Opens the content for reading. The caller closes it. */
  open(): FileContent;
  /** Path of a host file whose bytes are exactly this file's, when there is one. */
  readonly plainPath?: string;
  /** Of the bytes, where a backup tells it and nobody has compared it yet. */
  readonly storedChecksum?: StoredChecksum | undefined;
  /**
   * Compares what is stored of the file with checksums, where reading the content would not.
   *
   * @throws a `Failure` that names file and backup
   */
  checkStored?(): void;
  /** Where the content lies, in a tree that is an archive. */
  readonly payload?: PayloadRange | undefined;
  /**
   * What is unchanged, in a tree that is made of another one and changes; undefined for a file that
   * is new as a whole. It may be no more than which file lay there: then nothing is known. A
   * file without any change is the node of the other tree itself.
   */
  readonly kept?: KeptContent | undefined;
}

/** A symbolic link. */
export interface SymlinkNode extends NodeBase {
  /** Tells symbolic links from other nodes. */
  readonly kind: "symlink";
  /** Where it leads, as it was stored: it may be absolute, or lead nowhere. */
  readonly target: string;
  /**
   * The target leads into the tree itself and depends on where that is mounted: whoever keeps the
   * node keeps no target.
   */
  readonly followsMount?: boolean;
}

/** A device node; the mode tells of which type. */
export interface DeviceNode extends NodeBase {
  /** Tells the types of nodes apart. */
  readonly kind: "device";
  /** Number of the driver. */
  readonly major: bigint;
  /** Number of the device at its driver. */
  readonly minor: bigint;
}

/** A FIFO or a socket. */
export interface SpecialNode extends NodeBase {
  /** Tells the types of nodes apart. */
  readonly kind: "fifo" | "socket";
}

/** A node of a tree. */
export type Node = DirectoryNode | FileNode | SymlinkNode | DeviceNode | SpecialNode;

/** What a mode says of a node that is no directory, file or link. @param rdev the device number */
export function specialKind(
  mode: number,
  rdev: number,
): Pick<DeviceNode, "kind" | "major" | "minor"> | Pick<SpecialNode, "kind"> {
  const type = mode & FileType.MASK;
  if (type === FileType.FIFO) return { kind: "fifo" };
  if (type === FileType.SOCKET) return { kind: "socket" };
  return { kind: "device", ...splitDeviceNumber(BigInt(rdev)) };
}

/** The bytes of one open file. */
export interface FileContent {
  /**
   * Reads up to `size` bytes at `offset` into `target.bytes` from `start` on. Short only at the end
   * of the file.
   *
   * @returns the number of bytes, 0 at the end
   * @throws a `Failure` that names file, offset and backup when the stored bytes are damaged
   */
  readInto(target: NativeBuffer, start: number, size: number, offset: number): number;
  /**
   * Where data may begin from `offset` on, behind known zeros; the file's size when nothing
   * follows. Default: `offset`.
   */
  nextData?(offset: number): number;
  /** Where known zeros begin from `offset` on; the file's size when none do. Default: the size. */
  nextHole?(offset: number): number;
  /** Ends the use of the content; nothing may be read afterwards. */
  close(): void;
}

/**
 * lseek(2) for SEEK_DATA and SEEK_HOLE inside a file of `size` bytes.
 *
 * @param isHoleWanted SEEK_HOLE rather than SEEK_DATA
 * @returns an offset; `size` says that nothing but a hole follows
 */
export function seekContent(
  content: FileContent,
  offset: number,
  size: number,
  isHoleWanted: boolean,
): number {
  const found = isHoleWanted
    ? content.nextHole?.(offset) ?? size
    : content.nextData?.(offset) ?? offset;
  return Math.min(Math.max(found, offset), size);
}

/** Something to read from as a directory tree: a backup, an archive, a directory, parts of them. */
export interface Tree {
  /** The directory that all paths start at. */
  readonly root: DirectoryNode;
  /** What this tree knows at all of its nodes: a comparison leaves out the rest. */
  readonly knownFields: ReadonlySet<MetadataField>;
  /** Times are exact to this many nanoseconds; 1 unless given. */
  readonly mtimePrecisionNs?: number;
  /** The tree that this one is made of, by changes: unchanged nodes are its nodes. */
  readonly below?: Tree | undefined;
  /** What a split archive says before its root. */
  readonly prelude?: Uint8Array | undefined;
  /** Ends the use of the tree, and of what it reads from where that is its own. */
  close(): void;
}

/**
 * A tree whose nodes are found again by their ids alone, as a mount does it. Ids are integers from
 * 1 to 2^47, different for all nodes, and the same each time the same tree is opened.
 */
export interface MountableTree extends Tree {
  /** The node with that {@link NodeBase.id}, or undefined. */
  nodeById(id: number): Node | undefined;
}
