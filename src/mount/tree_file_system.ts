/**
 * A tree as a read-only file system.
 *
 * @module
 */

import { EntryType, entryType, UNKNOWN_INO } from "#src/bytes/file_type.ts";
import { Errno } from "#ffi/os_error.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { restrictedMode, XATTR_ACL_ACCESS } from "#src/bytes/posix_acl.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { Failure } from "#src/errors.ts";
import {
  type AttributesSlot,
  type EmitEntry,
  type EntrySlot,
  type FileSystem,
  type OpenSlot,
  ROOT_NODE_ID,
  type StatfsSlot,
} from "#src/tree/file_system.ts";
import {
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type MountableTree,
  type Node,
  seekContent,
} from "#src/tree/node.ts";
import { LookupBursts } from "./lookup_bursts.ts";

/** A tree does not change: the kernel may keep what it knows for a day. */
const TIMEOUT_SECONDS = 86_400;

/** Files that are kept open; the one opened first is closed first. */
const OPEN_CONTENTS_MAX = 256;

/** Directories whose entries are kept as a list. */
const LISTINGS_MAX = 8;

/** Numbers of entries with which a directory is worth preloading, and costs little. */
const PRELOADED_COUNT_MIN = 6;
const PRELOADED_COUNT_MAX = 2048;

/** NAME_MAX: the longest name on Linux, in bytes. */
const NAME_LENGTH_MAX = 255;
const NAME_BYTES_PER_UNIT_MAX = 3;

const BLOCK_SIZE = 512;
const STATFS_BLOCK_SIZE = 4096;
const O_ACCMODE = 3;
const O_TRUNC = 0o1000;
const SEEK_HOLE = 4;

/** What {@link treeFileSystem} shows of a tree, and how. */
export interface TreeFileSystemOptions {
  /**
   * Access is not checked by the ACLs of files: their modes are reduced so that no user gets more
   * than the ACL gives. To tools that copy ACLs these are still to be had as extended attributes.
   */
  readonly showsRestrictedModes?: boolean;
  /** Space that the file system is said to take, in bytes; default: none. */
  readonly sizeBytes?: number;
}

/**
 * Serves a {@link MountableTree}. It has no state but caches: a node id is computed from the node's
 * id in the tree, a handle is never needed. So several instances over the same tree serve one mount
 * together without sharing anything.
 */
export class TreeFileSystem implements FileSystem {
  preloadDirectory?: (nodeId: number, entryCount: number) => void;
  readonly #tree: MountableTree;
  readonly #contents = new Map<number, FileContent>();
  readonly #listings = new Map<number, Listing>();
  readonly #bursts = new LookupBursts();
  /**
   * The entry that is being listed, which is looked up at once when attributes are wanted too, and
   * its directory.
   */
  #listed: DirectoryEntry | undefined;
  /** Its node, read once; undefined where it cannot be read. */
  #listedNode: Node | undefined;
  #listedIn = 0;

  readonly #showsRestrictedModes: boolean;
  readonly #sizeBytes: number;

  /** @param options see {@link TreeFileSystemOptions} */
  constructor(tree: MountableTree, options: TreeFileSystemOptions = {}) {
    this.#tree = tree;
    this.#showsRestrictedModes = options.showsRestrictedModes ?? false;
    this.#sizeBytes = options.sizeBytes ?? 0;
  }

  lookup(parentId: number, name: string, out: EntrySlot): number {
    out.timeoutSeconds = TIMEOUT_SECONDS;
    const listed = this.#listed;
    if (listed !== undefined && listed.name === name && this.#listedIn === parentId) {
      return this.#fillEntry(out, this.#listedNode ?? listed.node);
    }
    const parent = this.#node(parentId);
    if (parent === undefined) return -Errno.ESTALE;
    if (parent.kind !== "directory") return -Errno.ENOTDIR;
    this.#notePossibleBurst(parentId, parent);
    const node = parent.lookup(name);
    if (node === undefined) {
      if (isLongerThanUsual(name)) return -Errno.ENAMETOOLONG;
      out.nodeId = 0;
      return 0;
    }
    return this.#fillEntry(out, node);
  }

  /** Nothing is counted. */
  forget(): void {}

  getattr(nodeId: number, out: AttributesSlot): number {
    const node = this.#node(nodeId);
    if (node === undefined) return -Errno.ESTALE;
    this.#fillAttributes(out, node, nodeId);
    return 0;
  }

  readlink(nodeId: number): string | number {
    const node = this.#node(nodeId);
    if (node === undefined) return -Errno.ESTALE;
    return node.kind === "symlink" ? node.target : -Errno.EINVAL;
  }

  open(nodeId: number, flags: number, _killSuidgid: boolean, out: OpenSlot): number {
    const node = this.#node(nodeId);
    if (node === undefined) return -Errno.ESTALE;
    if (node.kind !== "file") return -Errno.EISDIR;
    if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) return -Errno.EROFS;
    out.keepCache = true;
    return 0;
  }

  read(
    nodeId: number,
    _handle: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const content = this.#contents.get(nodeId) ?? this.#openContent(nodeId);
    if (content === undefined) return -Errno.ESTALE;
    return content.readInto(target, start, size, offset);
  }

  /** The kernel takes this answer for success, and for that of all files to come. */
  flush(): number {
    return -Errno.ENOSYS;
  }

  release(): void {}

  /** There is never anything to write back. */
  fsync(): number {
    return 0;
  }

  lseek(nodeId: number, _handle: number, offset: number, whence: number): number {
    const node = this.#node(nodeId);
    if (node === undefined) return -Errno.ESTALE;
    const { size } = node.attributes;
    if (offset >= size) return -Errno.ENXIO;
    const content = this.#contents.get(nodeId) ?? this.#openContent(nodeId);
    if (content === undefined) return -Errno.ESTALE;
    const found = seekContent(content, offset, size, whence === SEEK_HOLE);
    return found === size && whence !== SEEK_HOLE ? -Errno.ENXIO : found;
  }

  /**
   * The kernel (5.1) takes this answer for success, and for that of all directories to come; it
   * keeps entries then.
   */
  opendir(): number {
    return -Errno.ENOSYS;
  }

  readdir(nodeId: number, _handle: number, cookie: number, emit: EmitEntry): number {
    const directory = this.#node(nodeId);
    if (directory?.kind !== "directory") return -Errno.ENOTDIR;
    const { entryCount } = directory;
    // The last question of a lister may reach another worker, which has no list yet and needs none.
    if (entryCount !== undefined && cookie >= entryCount + 2) return 0;
    const { entries, damage } = this.#listing(nodeId, directory);
    // The lister has all that there is, and must not take it for everything.
    if (damage !== undefined && cookie >= entries.length + 2) throw damage;
    this.#listedIn = nodeId;
    try {
      // Cookies are positions in the list; the first two are "." and "..".
      for (let position = cookie; position < entries.length + 2; position++) {
        if (!this.#emitAt(position, nodeId, entries, emit)) break;
      }
    } finally {
      this.#listed = undefined;
    }
    return 0;
  }

  releasedir(): void {}

  fsyncdir(): number {
    return 0;
  }

  statfs(out: StatfsSlot): number {
    out.blockSizeBytes = STATFS_BLOCK_SIZE;
    out.blocks = Math.ceil(this.#sizeBytes / STATFS_BLOCK_SIZE);
    out.blocksFree = 0;
    out.blocksAvailable = 0;
    out.files = 0;
    out.filesFree = 0;
    return 0;
  }

  getxattr(nodeId: number, name: string): Uint8Array | number {
    const node = this.#node(nodeId);
    if (node === undefined) return -Errno.ESTALE;
    return node.xattrs().get(name) ?? -Errno.ENODATA;
  }

  listxattr(nodeId: number): readonly string[] | number {
    const node = this.#node(nodeId);
    return node === undefined ? -Errno.ESTALE : [...node.xattrs().keys()];
  }

  setattr = refuse;
  mknod = refuse;
  mkdir = refuse;
  symlink = refuse;
  link = refuse;
  unlink = refuse;
  rmdir = refuse;
  rename = refuse;
  create = refuse;
  write = refuse;
  fallocate = refuse;
  copyFileRange = refuse;
  setxattr = refuse;
  removexattr = refuse;

  close(): void {
    for (const content of this.#contents.values()) content.close();
    this.#contents.clear();
    this.#tree.close();
  }

  /** The root has node id 1; the others are one above their id in the tree, which may be 1. */
  #nodeId(node: Node): number {
    return node.id === this.#tree.root.id ? ROOT_NODE_ID : node.id + 1;
  }

  #node(nodeId: number): Node | undefined {
    return nodeId === ROOT_NODE_ID ? this.#tree.root : this.#tree.nodeById(nodeId - 1);
  }

  #fillEntry(out: EntrySlot, node: Node): number {
    out.nodeId = this.#nodeId(node);
    this.#fillAttributes(out.attributes, node, out.nodeId);
    return 0;
  }

  #fillAttributes(out: AttributesSlot, node: Node, nodeId: number): void {
    fillAttributes(out, node, nodeId);
    if (!this.#showsRestrictedModes) return;
    const access = node.xattrs().get(XATTR_ACL_ACCESS);
    if (access !== undefined) out.mode = restrictedMode(access, out.mode);
  }

  #notePossibleBurst(parentId: number, { entryCount }: DirectoryNode): void {
    if (this.preloadDirectory === undefined || entryCount === undefined) return;
    if (entryCount < PRELOADED_COUNT_MIN || entryCount > PRELOADED_COUNT_MAX) return;
    if (this.#bursts.note(parentId)) this.preloadDirectory(parentId, entryCount);
  }

  #openContent(nodeId: number): FileContent | undefined {
    const node = this.#node(nodeId);
    if (node?.kind !== "file") return undefined;
    if (this.#contents.size >= OPEN_CONTENTS_MAX) {
      const [oldest, content] = this.#contents.entries().next().value!;
      this.#contents.delete(oldest);
      content.close();
    }
    const content = node.open();
    this.#contents.set(nodeId, content);
    return content;
  }

  #listing(nodeId: number, directory: DirectoryNode): Listing {
    const known = this.#listings.get(nodeId);
    if (known !== undefined) return known;
    if (this.#listings.size >= LISTINGS_MAX) {
      this.#listings.delete(this.#listings.keys().next().value!);
    }
    const listing = listOf(directory);
    this.#listings.set(nodeId, listing);
    return listing;
  }

  #emitAt(
    position: number,
    nodeId: number,
    entries: readonly DirectoryEntry[],
    emit: EmitEntry,
  ): boolean {
    if (position < 2) {
      return emit(position === 0 ? "." : "..", nodeId, EntryType.DIRECTORY, position + 1);
    }
    const entry = this.#listed = entries[position - 2]!;
    this.#listedNode = undefined;
    let ino = UNKNOWN_INO;
    let type: number = EntryType.UNKNOWN;
    try {
      const node = this.#listedNode = entry.node;
      ino = this.#nodeId(node);
      type = entryType(node.attributes.mode);
    } catch (error) {
      // Whoever asks for this one is told.
      if (!(error instanceof Failure)) throw error;
    }
    return emit(entry.name, ino, type, position + 1);
  }
}

/** Serves `tree` read-only; see {@link TreeFileSystem}. */
export function treeFileSystem(
  tree: MountableTree,
  options: TreeFileSystemOptions = {},
): FileSystem {
  return new TreeFileSystem(tree, options);
}

/** What a directory is seen to hold. */
interface Listing {
  readonly entries: readonly DirectoryEntry[];
  /** Why there may be more. */
  readonly damage: Error | undefined;
}

function listOf(directory: DirectoryNode): Listing {
  const entries: DirectoryEntry[] = [];
  try {
    for (const entry of directory.entries()) entries.push(entry);
    return { entries, damage: undefined };
  } catch (error) {
    if (entries.length === 0 || !(error instanceof Failure)) throw error;
    return { entries, damage: error };
  }
}

/** Whether no file system of Linux would have such a name. What has one all the same is found. */
function isLongerThanUsual(name: string): boolean {
  return name.length * NAME_BYTES_PER_UNIT_MAX > NAME_LENGTH_MAX &&
    encodeFileName(name).length > NAME_LENGTH_MAX;
}

function refuse(): number {
  return -Errno.EROFS;
}

function fillAttributes(out: AttributesSlot, node: Node, nodeId: number): void {
  const { mode, uid, gid, size, dataBytes, mtime, nlink, rdev } = node.attributes;
  out.ino = nodeId;
  out.size = size;
  out.blocks = Math.ceil((dataBytes ?? size) / BLOCK_SIZE);
  out.mode = mode;
  out.nlink = nlink;
  out.uid = uid;
  out.gid = gid;
  out.rdev = rdev;
  out.blockSizeBytes = 4096;
  out.atimeSeconds = mtime.seconds;
  out.atimeNanoseconds = mtime.nanoseconds;
  out.mtimeSeconds = mtime.seconds;
  out.mtimeNanoseconds = mtime.nanoseconds;
  out.ctimeSeconds = mtime.seconds;
  out.ctimeNanoseconds = mtime.nanoseconds;
  out.timeoutSeconds = TIMEOUT_SECONDS;
}
