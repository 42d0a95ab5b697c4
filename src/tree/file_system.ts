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
  ino = 0;
  size = 0;
  /** Allocated space in units of 512 bytes. */
  blocks = 0;
  mode = 0;
  nlink = 1;
  uid = 0;
  gid = 0;
  rdev = 0;
  blockSizeBytes = 4096;
  atimeSeconds = 0;
  atimeNanoseconds = 0;
  mtimeSeconds = 0;
  mtimeNanoseconds = 0;
  ctimeSeconds = 0;
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
  blocks = 0;
  blocksFree = 0;
  blocksAvailable = 0;
  files = 0;
  filesFree = 0;
  blockSizeBytes = 4096;
  nameLengthMax = 255;
}

/** Who asks: the owner of what is created. */
export interface Caller {
  readonly uid: number;
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
  mode = 0;
  uid = 0;
  gid = 0;
  size = 0;
  atimeSeconds = 0;
  atimeNanoseconds = 0;
  mtimeSeconds = 0;
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

  getattr(nodeId: number, out: AttributesSlot): number;
  setattr(nodeId: number, change: AttributeChange, out: AttributesSlot): number;
  /** @returns the target, or a negative errno */
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
  mkdir(parentId: number, name: string, mode: number, caller: Caller, out: EntrySlot): number;
  symlink(parentId: number, name: string, target: string, caller: Caller, out: EntrySlot): number;
  link(nodeId: number, newParentId: number, newName: string, out: EntrySlot): number;
  unlink(parentId: number, name: string): number;
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
  release(nodeId: number, handle: number): void;
  fsync(nodeId: number, handle: number, dataOnly: boolean): number;
  fallocate(nodeId: number, handle: number, mode: number, offset: number, length: number): number;
  /** SEEK_DATA (3) and SEEK_HOLE (4). @returns the offset */
  lseek(nodeId: number, handle: number, offset: number, whence: number): number;
  /** @returns the number of bytes copied, possibly fewer than asked */
  copyFileRange(
    nodeIdIn: number,
    offsetIn: number,
    nodeIdOut: number,
    offsetOut: number,
    length: number,
  ): number;

  opendir(nodeId: number, out: OpenSlot): number;
  /** Lists from `cookie` (0 = start, which takes a fresh list) on, `.` and `..` included. */
  readdir(nodeId: number, handle: number, cookie: number, emit: EmitEntry): number;
  releasedir(nodeId: number, handle: number): void;
  fsyncdir(nodeId: number, handle: number, dataOnly: boolean): number;

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
  /** @returns the value, or a negative errno */
  getxattr(nodeId: number, name: string): Uint8Array | number;
  /** @returns the names, or a negative errno */
  listxattr(nodeId: number): readonly string[] | number;
  removexattr(nodeId: number, name: string): number;

  /** Ends this thread's use of the file system; what was acknowledged is kept. */
  close(): void;
}
