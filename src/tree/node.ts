/**
 * The vocabulary all backup formats share: a backup is a {@link Tree} of {@link Node}s.
 *
 * A tree is immutable while it is open. Everything is synchronous, because a FUSE worker answers
 * the kernel inside one call. Names follow `bytes/file_name.ts`.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

export { FileType } from "#src/bytes/file_type.ts";

/**
 * A point in time since 1970-01-01 UTC; `seconds` is negative before it, `nanoseconds` is
 * 0…999999999.
 */
export interface Timestamp {
  /** Whole seconds, rounded down, so that `nanoseconds` is always added. */
  readonly seconds: number;
  /** 0…999999999, added to `seconds`. */
  readonly nanoseconds: number;
}

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
   * Number of names; 1 unless the format knows hard links, and where {@link Tree.countsLinks} is
   * false.
   */
  readonly nlink: number;
  /** Device number (Linux `dev_t`, 32 bits as the kernel sends it) of a device node, else 0. */
  readonly rdev: number;
}

/** What all nodes have. */
export interface NodeBase {
  /**
   * Identity inside the tree: an integer from 1 to 2^47, the same each time the same tree is
   * opened, and the same for all names of one hard-linked file.
   */
  readonly id: number;
  /** The same as long as the tree is open: a tree does not change. */
  readonly attributes: Attributes;
  /** Extended attributes by full name (`user.x`). */
  xattrs(): ReadonlyMap<string, Uint8Array>;
}

/** One name in a directory. */
export interface DirectoryEntry {
  /** Without slashes, neither empty nor `.` or `..`. */
  readonly name: string;
  /** What the name stands for; the same node for all names of a hard-linked file. */
  readonly node: Node;
}

/** A directory. */
export interface DirectoryNode extends NodeBase {
  /** Tells directories from other nodes. */
  readonly kind: "directory";
  /** Number of entries, where that is known without reading them. */
  readonly entryCount?: number;
  /** The node called `name`, or undefined. `.` and `..` are never asked for. */
  lookup(name: string): Node | undefined;
  /** All names, each once, without `.` and `..`, in a stable order. */
  entries(): Iterable<DirectoryEntry>;
}

/** A regular file. */
export interface FileNode extends NodeBase {
  /** Tells regular files from other nodes. */
  readonly kind: "file";
  /** Opens the content for reading. The caller closes it. */
  open(): FileContent;
  /** Path of a host file whose bytes are exactly this file's, when there is one. */
  readonly plainPath?: string;
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

/** A FIFO, socket or device node. */
export interface SpecialNode extends NodeBase {
  /** Tells what has neither content nor entries; the mode says which it is. */
  readonly kind: "special";
}

/** A node of a tree. */
export type Node = DirectoryNode | FileNode | SymlinkNode | SpecialNode;

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

/** A backup as a directory tree. */
export interface Tree {
  /** The directory that all paths start at. */
  readonly root: DirectoryNode;
  /**
   * Whether {@link Attributes.nlink} counts the names of files; if not, only their ids tell.
   * Default: true.
   */
  readonly countsLinks?: boolean;
  /** The node with that {@link NodeBase.id}, or undefined. */
  nodeById(id: number): Node | undefined;
  /** Closes the files and threads of the tree; no node may be used afterwards. */
  close(): void;
}
