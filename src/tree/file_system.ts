/**
 * What a mounted tree must answer. It is the seam between `mount/` (which knows the kernel's
 * protocol) and the file systems behind it (`overlay/`, a read-only tree), none of which has heard
 * of FUSE.
 *
 * Conventions, chosen so that a request costs no allocation:
 * - Everything is synchronous. Calls come from several threads, each with its own instance over
 *   shared state.
 * - A node is named by its `nodeId`, an integer of at most 2^53; 1 is the root. An id is never used
 *   for another file.
 * - A method returns 0 (or a count) on success and **a negative errno** on failure.
 * - Results with several parts go into a slot object that the caller owns and reuses.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/** Node id of the root directory. */
export const ROOT_NODE_ID = 1;

/** Result slot for the attributes of a node. */
export class AttributesSlot {
  /** Inode number that programs see; need not be the node id. */
  ino = 0;
  /** Length in bytes. */
  size = 0;
  /** Allocated space in units of 512 bytes. */
  blocks = 0;
  /** File type and permission bits, as `st_mode`. */
  mode = 0;
  /** Number of names; of a directory 1 where its subdirectories are not counted. */
  nlink = 1;
  /** Owner as the mount shows it. */
  uid = 0;
  /** Owning group as the mount shows it. */
  gid = 0;
  /** Device number of a device node in the kernel's 32-bit form, else 0. */
  rdev = 0;
  /** Size of a read or write that suits the file system. */
  blockSizeBytes = 4096;
  /** Last access, seconds since 1970, negative before. */
  atimeSeconds = 0;
  /** Rest of the last access, 0…999999999. */
  atimeNanoseconds = 0;
  /** Last change of the content, seconds since 1970. */
  mtimeSeconds = 0;
  /** Rest of the last change of the content, 0…999999999. */
  mtimeNanoseconds = 0;
  /** Last change of content or attributes, seconds since 1970. */
  ctimeSeconds = 0;
  /** Rest of the last change of content or attributes, 0…999999999. */
  ctimeNanoseconds = 0;
  /** How long the kernel may keep these attributes. */
  timeoutSeconds = 0;
}

/** Result slot for a name that was looked up or made. */
export class EntrySlot {
  /** 0 says that the name does not exist and that the kernel may remember so. */
  nodeId = 0;
  /** How long the kernel may keep the name. */
  timeoutSeconds = 0;
  /** Attributes of the node; not filled in when `nodeId` is 0. */
  readonly attributes: AttributesSlot = new AttributesSlot();
}

/** Result slot for an opened file or directory. */
export class OpenSlot {
  /** Passed back with every request on the open file; at most 2^53. */
  handle = 0;
  /** Pages that the kernel has of this file are still good. */
  keepCache = false;
  /** The kernel must not cache this file. */
  directIo = false;
  /** Greater than 0: the kernel may read and write the registered backing file itself. */
  backingId = 0;
}

/** Result slot for statfs(2). */
export class StatfsSlot {
  /** Size of the file system in units of `blockSizeBytes`. */
  blocks = 0;
  /** Free blocks, those kept for the superuser included. */
  blocksFree = 0;
  /** Free blocks that anybody may take. */
  blocksAvailable = 0;
  /** Nodes there can be; 0 where there is no limit. */
  files = 0;
  /** Nodes that can still be made. */
  filesFree = 0;
  /** Unit of the counts of blocks, in bytes. */
  blockSizeBytes = 4096;
  /** Longest name of an entry, in bytes. */
  nameLengthMax = 255;
}

/** Who asks: the owner of what is created. */
export interface Caller {
  /** Effective user of the calling program, as the kernel gives it with the request. */
  readonly uid: number;
  /** Its effective group; in a set-group-id directory the group of that is taken instead. */
  readonly gid: number;
  /**
   * Permissions that he does not want to give, unless a default ACL of the directory says what is
   * given.
   */
  readonly umask: number;
}

/** What a setattr changes; a field is meant only when its bit is in `mask`. */
export class AttributeChange {
  /** Sum of {@link Change} bits. */
  mask = 0;
  /** New permission bits; the file type cannot change. */
  mode = 0;
  /** New owner. */
  uid = 0;
  /** New owning group. */
  gid = 0;
  /** New length in bytes: cuts, or appends zeros. */
  size = 0;
  /** New time of access, seconds since 1970. */
  atimeSeconds = 0;
  /** Rest of the new time of access, 0…999999999. */
  atimeNanoseconds = 0;
  /** New time of change, seconds since 1970. */
  mtimeSeconds = 0;
  /** Rest of the new time of change, 0…999999999. */
  mtimeNanoseconds = 0;
}

/** Bits of {@link AttributeChange.mask}. */
export const Change = {
  MODE: 1,
  UID: 2,
  GID: 4,
  SIZE: 8,
  ATIME: 0x10,
  MTIME: 0x20,
  ATIME_NOW: 0x80,
  MTIME_NOW: 0x100,
  /** Clear set-user-id and set-group-id bits as write(2), truncate(2) and chown(2) do. */
  KILL_SUIDGID: 0x800,
} as const;

/**
 * Receives one directory entry. `type` is an `EntryType` of `src/bytes/file_type.ts`. `nextCookie`
 * continues after this entry.
 *
 * @returns false when the entry did not fit; the listing stops and the entry is asked for again
 */
export type EmitEntry = (name: string, ino: number, type: number, nextCookie: number) => boolean;

/** A mounted tree. */
export interface FileSystem {
  /**
   * Set by who serves it, where that is possible: to be called with the node id of a directory, and
   * the number of its entries, when the kernel had better know all of them. They are listed with
   * their attributes then, soon.
   */
  preloadDirectory?: (nodeId: number, entryCount: number) => void;

  /**
   * Set by who serves it, where that is possible: to be called while a request on an open file is
   * served, when the attributes that were given of it have changed in a way that the kernel did not
   * see.
   */
  expireAttributes?: (nodeId: number) => void;

  /**
   * Set by who serves it, where that is possible: has threads that wait for requests call
   * {@link help}.
   */
  callHelpers?: () => void;
  /** Lets this thread do what others want done, until `isWanted` says that a request waits. */
  help?(isWanted: () => boolean): void;

  /**
   * Finds a name. Success with a `nodeId` other than 0 counts as one lookup, undone by
   * {@link forget}.
   */
  lookup(parentId: number, name: string, out: EntrySlot): number;
  /** Undoes `count` lookups; a node without lookups, names and handles is forgotten. */
  forget(nodeId: number, count: number): void;

  /** Attributes as they are now, whatever the kernel has cached. */
  getattr(nodeId: number, out: AttributesSlot): number;
  /** Changes what `change.mask` names, all or nothing. `out` gets the attributes afterwards. */
  setattr(nodeId: number, change: AttributeChange, out: AttributesSlot): number;
  /** Target of a symbolic link, as it is stored. @returns a negative errno on failure */
  readlink(nodeId: number): string | number;

  /**
   * Makes a file, FIFO, socket or device node. `mode` has the type bits; the caller's umask is
   * still to be applied.
   */
  mknod(
    parentId: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: EntrySlot,
  ): number;
  /** Makes a directory. `mode` has no type bits; the caller's umask is still to be applied. */
  mkdir(parentId: number, name: string, mode: number, caller: Caller, out: EntrySlot): number;
  /** Makes a symbolic link; `target` is kept as it is, whether it exists or not. */
  symlink(parentId: number, name: string, target: string, caller: Caller, out: EntrySlot): number;
  /** Gives a node that is no directory a further name. Counts as one lookup. */
  link(nodeId: number, newParentId: number, newName: string, out: EntrySlot): number;
  /** Removes the name of anything but a directory; open files stay usable. */
  unlink(parentId: number, name: string): number;
  /** Removes an empty directory, else fails with ENOTEMPTY. */
  rmdir(parentId: number, name: string): number;
  /** `flags`: renameat2(2)'s RENAME_NOREPLACE (1) and RENAME_EXCHANGE (2). */
  rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number;

  /**
   * Opens a file; `flags` are those of open(2). O_TRUNC truncates; `killSuidgid` as in
   * {@link Change.KILL_SUIDGID}.
   */
  open(nodeId: number, flags: number, killSuidgid: boolean, out: OpenSlot): number;
  /**
   * Makes and opens a file in one step. Fails with EEXIST when the name exists and `flags` has
   * O_EXCL.
   */
  create(
    parentId: number,
    name: string,
    flags: number,
    mode: number,
    caller: Caller,
    entry: EntrySlot,
    open: OpenSlot,
  ): number;
  /**
   * Reads into `target.bytes` from `start` on. @returns the number of bytes, short only at the end
   * of the file
   */
  read(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number;
  /** Writes `size` bytes of `source.bytes` from `start` on. @returns the number of bytes written */
  write(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    killSuidgid: boolean,
  ): number;
  /**
   * close(2) of one of several descriptors. @returns -ENOSYS, once for all files, when it need not
   * be told
   */
  flush(nodeId: number, handle: number): number;
  /** Ends what {@link open} or {@link create} began, with the last descriptor. */
  release(nodeId: number, handle: number): void;
  /** Makes content durable, and unless `dataOnly` the attributes, too. */
  fsync(nodeId: number, handle: number, dataOnly: boolean): number;
  /** fallocate(2); `mode` has its FALLOC_FL bits. EOPNOTSUPP where a mode cannot be done. */
  fallocate(nodeId: number, handle: number, mode: number, offset: number, length: number): number;
  /** SEEK_DATA (3) and SEEK_HOLE (4). @returns the offset */
  lseek(nodeId: number, handle: number, offset: number, whence: number): number;
  /** copy_file_range(2). @returns the number of bytes copied, possibly fewer than asked */
  copyFileRange(
    nodeIdIn: number,
    offsetIn: number,
    nodeIdOut: number,
    offsetOut: number,
    length: number,
  ): number;

  /** Opens a directory; a list is taken only when {@link readdir} starts. */
  opendir(nodeId: number, out: OpenSlot): number;
  /** Lists from `cookie` (0 = start, which takes a fresh list) on, `.` and `..` included. */
  readdir(nodeId: number, handle: number, cookie: number, emit: EmitEntry): number;
  /** Ends what {@link opendir} began, and frees its list. */
  releasedir(nodeId: number, handle: number): void;
  /** Makes the names in a directory durable. */
  fsyncdir(nodeId: number, handle: number, dataOnly: boolean): number;

  /** Space and nodes of the file system that takes the changes. */
  statfs(out: StatfsSlot): number;
  /**
   * `flags`: XATTR_CREATE (1), XATTR_REPLACE (2). `killSgid`: the set-group-id bit goes, as with
   * chmod(2).
   */
  setxattr(
    nodeId: number,
    name: string,
    value: Uint8Array,
    flags: number,
    killSgid: boolean,
  ): number;
  /** Value of an extended attribute, all of it. @returns a negative errno on failure */
  getxattr(nodeId: number, name: string): Uint8Array | number;
  /** Names of all extended attributes with their prefixes. @returns a negative errno on failure */
  listxattr(nodeId: number): readonly string[] | number;
  /** Removes an extended attribute; ENODATA when there is none of that name. */
  removexattr(nodeId: number, name: string): number;

  /** Ends this thread's use of the file system; what was acknowledged is kept. */
  close(): void;
}
