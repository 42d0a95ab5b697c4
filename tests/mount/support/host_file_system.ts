/**
 * A writable file system over a host directory, for tests of the mount layer without the overlay.
 * It keeps its nodes in this thread, so it serves with one worker only.
 *
 * @module
 */

import * as libc from "#ffi/libc/calls.ts";
import { Errno } from "#ffi/os_error.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import type { DeviceBackingRegistry } from "#src/mount/backing_registry.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import {
  type AttributeChange,
  type AttributesSlot,
  type Caller,
  Change,
  type EmitEntry,
  type EntrySlot,
  type FileSystem,
  type OpenSlot,
  ROOT_NODE_ID,
  type StatfsSlot,
} from "#src/tree/file_system.ts";

const { OpenFlag } = libc;
const O_PATH = 0o10000000;
const O_ACCMODE = 3;
const TIMEOUT_SECONDS = 3600;

interface HostNode {
  readonly fd: number;
  readonly ino: number;
  lookups: number;
  /** Id of the registered backing file while `backingOpens` is not 0. */
  backingId: number;
  backingOpens: number;
}

interface HostListing {
  entries: { name: string; ino: number; type: number }[];
}

/** Attribute of the root that tells how many lookups all nodes but the root have. */
export const LOOKUPS_XATTR = "user.test.lookups";
/** Attribute of the root that tells how many files are open. */
export const HANDLES_XATTR = "user.test.handles";

/** See the module. */
export class HostFileSystem implements FileSystem {
  readonly #nodes = new Map<number, HostNode>();
  readonly #byInode = new Map<number, number>();
  readonly #listings = new Map<number, HostListing>();
  readonly #stat = new libc.HostStat();
  #openFiles = 0;
  #nextId = ROOT_NODE_ID + 1;
  #nextListing = 1;

  /** With a registry, files are left to the kernel. */
  constructor(directory: string, readonly backing?: DeviceBackingRegistry) {
    const fd = libc.open(directory, O_PATH);
    libc.statFd(fd, this.#stat);
    this.#nodes.set(ROOT_NODE_ID, makeNode(fd, this.#stat.ino, 1));
    this.#byInode.set(this.#stat.ino, ROOT_NODE_ID);
  }

  lookup(parentId: number, name: string, out: EntrySlot): number {
    const fd = libc.openAt(this.#fd(parentId), name, O_PATH | OpenFlag.NOFOLLOW);
    if (fd === -Errno.ENOENT) {
      out.nodeId = 0;
      out.timeoutSeconds = TIMEOUT_SECONDS;
      return 0;
    }
    if (fd < 0) return fd;
    libc.statFd(fd, this.#stat);
    let id = this.#byInode.get(this.#stat.ino);
    if (id === undefined) {
      id = this.#nextId++;
      this.#nodes.set(id, makeNode(fd, this.#stat.ino, 0));
      this.#byInode.set(this.#stat.ino, id);
    } else {
      libc.close(fd);
    }
    this.#nodes.get(id)!.lookups++;
    out.nodeId = id;
    out.timeoutSeconds = TIMEOUT_SECONDS;
    this.#fill(out.attributes);
    return 0;
  }

  forget(nodeId: number, count: number): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined || nodeId === ROOT_NODE_ID) return;
    node.lookups -= count;
    if (node.lookups < 0) throw new RangeError(`node ${nodeId} has ${node.lookups} lookups`);
    if (node.lookups > 0) return;
    libc.close(node.fd);
    this.#nodes.delete(nodeId);
    this.#byInode.delete(node.ino);
  }

  getattr(nodeId: number, out: AttributesSlot): number {
    const result = libc.statFd(this.#fd(nodeId), this.#stat);
    if (result === 0) this.#fill(out);
    return result;
  }

  setattr(nodeId: number, change: AttributeChange, out: AttributesSlot): number {
    const result = this.#apply(nodeId, change);
    return result < 0 ? result : this.getattr(nodeId, out);
  }

  #apply(nodeId: number, change: AttributeChange): number {
    const { mask } = change;
    const path = this.#path(nodeId);
    let result = 0;
    if (mask & (Change.UID | Change.GID)) {
      const uid = mask & Change.UID ? change.uid : libc.KEEP_ID;
      const gid = mask & Change.GID ? change.gid : libc.KEEP_ID;
      result = libc.chownAt(this.#fd(nodeId), "", uid, gid);
    }
    if (result >= 0 && mask & Change.MODE) {
      result = libc.chmodAt(libc.At.FDCWD, path, change.mode & 0o7777);
    }
    if (result >= 0 && mask & Change.SIZE) {
      result = this.#withFile(
        nodeId,
        OpenFlag.WRONLY,
        (fd) => libc.ftruncate(fd, change.size),
      );
    }
    if (result >= 0 && mask & (Change.ATIME | Change.MTIME)) {
      result = setTimes(this.#resolved(nodeId), change);
    }
    if (result >= 0 && mask & Change.KILL_SUIDGID) this.#killSuidgid(nodeId);
    return result;
  }

  readlink(nodeId: number): string | number {
    const target = libc.readlinkAt(this.#fd(nodeId), "");
    return typeof target === "number" ? target : decodeFileName(target);
  }

  mknod(
    parentId: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: EntrySlot,
  ): number {
    const result = libc.mknodAt(this.#fd(parentId), name, mode, rdev);
    return this.#created(result, parentId, name, mode, caller, out);
  }

  mkdir(parentId: number, name: string, mode: number, caller: Caller, out: EntrySlot): number {
    const result = libc.mkdirAt(this.#fd(parentId), name, mode);
    return this.#created(result, parentId, name, mode | 0o040000, caller, out);
  }

  symlink(parentId: number, name: string, target: string, caller: Caller, out: EntrySlot): number {
    const result = libc.symlinkAt(target, this.#fd(parentId), name);
    return this.#created(result, parentId, name, undefined, caller, out);
  }

  link(nodeId: number, newParentId: number, newName: string, out: EntrySlot): number {
    const result = libc.linkAt(
      libc.At.FDCWD,
      this.#path(nodeId),
      this.#fd(newParentId),
      newName,
      true,
    );
    return result < 0 ? result : this.lookup(newParentId, newName, out);
  }

  unlink(parentId: number, name: string): number {
    return libc.unlinkAt(this.#fd(parentId), name);
  }

  rmdir(parentId: number, name: string): number {
    return libc.rmdirAt(this.#fd(parentId), name);
  }

  rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number {
    return libc.renameAt(this.#fd(parentId), name, this.#fd(newParentId), newName, flags);
  }

  open(nodeId: number, flags: number, killSuidgid: boolean, out: OpenSlot): number {
    // The kernel computes offsets of appending writes itself; pwrite on an O_APPEND descriptor
    // ignores them.
    const kept = flags & (O_ACCMODE | OpenFlag.TRUNC);
    const fd = libc.open(this.#path(nodeId), kept);
    if (fd < 0) return fd;
    if (killSuidgid) this.#killSuidgid(nodeId);
    out.handle = fd;
    this.#opened(nodeId, out);
    return 0;
  }

  create(
    parentId: number,
    name: string,
    flags: number,
    mode: number,
    caller: Caller,
    entry: EntrySlot,
    open: OpenSlot,
  ): number {
    const kept = flags & (O_ACCMODE | OpenFlag.EXCL) | OpenFlag.CREAT;
    const fd = libc.openAt(this.#fd(parentId), name, kept, mode & 0o7777);
    const result = this.#created(fd, parentId, name, mode, caller, entry);
    if (result < 0) return result;
    open.handle = fd;
    this.#opened(entry.nodeId, open);
    return 0;
  }

  read(
    _nodeId: number,
    handle: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    return libc.preadFully(handle, target.address + BigInt(start), size, offset);
  }

  write(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    killSuidgid: boolean,
  ): number {
    if (killSuidgid) this.#killSuidgid(nodeId);
    return libc.pwriteFully(handle, source.address + BigInt(start), size, offset);
  }

  flush(): number {
    return 0;
  }

  release(nodeId: number, handle: number): void {
    libc.close(handle);
    this.#openFiles--;
    const node = this.#nodes.get(nodeId);
    if (node === undefined || node.backingOpens === 0 || --node.backingOpens > 0) return;
    this.backing?.unregister(node.backingId);
  }

  /** All opens of a node that overlap carry the same backing id. */
  #opened(nodeId: number, open: OpenSlot): void {
    this.#openFiles++;
    open.keepCache = true;
    const node = this.#nodes.get(nodeId);
    if (node === undefined || this.backing === undefined) return;
    if (node.backingOpens === 0) {
      // The kernel reads and writes with this descriptor's mode.
      const fd = libc.open(this.#path(nodeId), OpenFlag.RDWR);
      node.backingId = this.backing.register(fd);
      libc.close(fd);
    }
    if (node.backingId <= 0) return;
    node.backingOpens++;
    open.backingId = node.backingId;
  }

  fsync(_nodeId: number, handle: number, dataOnly: boolean): number {
    return dataOnly ? libc.fdatasync(handle) : libc.fsync(handle);
  }

  fallocate(
    _nodeId: number,
    handle: number,
    mode: number,
    offset: number,
    length: number,
  ): number {
    return libc.fallocate(handle, mode, offset, length);
  }

  lseek(_nodeId: number, handle: number, offset: number, whence: number): number {
    return libc.lseek(handle, offset, whence);
  }

  copyFileRange(
    nodeIdIn: number,
    offsetIn: number,
    nodeIdOut: number,
    offsetOut: number,
    length: number,
  ): number {
    return this.#withFile(
      nodeIdIn,
      OpenFlag.RDONLY,
      (fdIn) =>
        this.#withFile(
          nodeIdOut,
          OpenFlag.WRONLY,
          (fdOut) => libc.copyFileRange(fdIn, offsetIn, fdOut, offsetOut, length),
        ),
    );
  }

  opendir(_nodeId: number, out: OpenSlot): number {
    out.handle = this.#nextListing++;
    this.#listings.set(out.handle, { entries: [] });
    return 0;
  }

  readdir(nodeId: number, handle: number, cookie: number, emit: EmitEntry): number {
    const listing = this.#listings.get(handle)!;
    if (cookie === 0) listing.entries = this.#list(nodeId);
    for (let i = cookie; i < listing.entries.length; i++) {
      const { name, ino, type } = listing.entries[i]!;
      if (!emit(name, ino, type, i + 1)) break;
    }
    return 0;
  }

  #list(nodeId: number): HostListing["entries"] {
    const entries = [
      { name: ".", ino: this.#nodes.get(nodeId)!.ino, type: 4 },
      { name: "..", ino: this.#nodes.get(nodeId)!.ino, type: 4 },
    ];
    const bytes = new Uint8Array(65536);
    const view = new DataView(bytes.buffer);
    this.#withFile(nodeId, OpenFlag.RDONLY, (fd) => {
      for (let size = libc.getdents(fd, bytes); size > 0; size = libc.getdents(fd, bytes)) {
        for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
          const name = decodeFileName(bytes.slice(at + 19, bytes.indexOf(0, at + 19)));
          if (name === "." || name === "..") continue;
          const ino = Number(view.getBigUint64(at, true));
          entries.push({ name, ino, type: bytes[at + 18]! });
        }
      }
      return 0;
    });
    return entries;
  }

  releasedir(_nodeId: number, handle: number): void {
    this.#listings.delete(handle);
  }

  fsyncdir(nodeId: number): number {
    return this.#withFile(nodeId, OpenFlag.RDONLY, libc.fsync);
  }

  statfs(out: StatfsSlot): number {
    const result = this.#withFile(ROOT_NODE_ID, OpenFlag.RDONLY, (fd) => {
      const host = libc.statvfs(fd);
      if (typeof host === "number") return host;
      Object.assign(out, host);
      return 0;
    });
    return result;
  }

  setxattr(nodeId: number, name: string, value: Uint8Array, flags: number): number {
    return libc.setLinkXattr(this.#resolved(nodeId), name, value, flags);
  }

  getxattr(nodeId: number, name: string): Uint8Array | number {
    const text = this.#counter(nodeId, name);
    if (text !== undefined) return new TextEncoder().encode(String(text));
    return libc.getLinkXattr(this.#resolved(nodeId), name);
  }

  listxattr(nodeId: number): readonly string[] | number {
    const names = libc.listLinkXattr(this.#resolved(nodeId));
    return typeof names === "number" ? names : decodeFileName(names).split("\0").slice(0, -1);
  }

  removexattr(nodeId: number, name: string): number {
    return libc.removeLinkXattr(this.#resolved(nodeId), name);
  }

  close(): void {
    for (const node of this.#nodes.values()) libc.close(node.fd);
  }

  #counter(nodeId: number, name: string): number | undefined {
    if (nodeId !== ROOT_NODE_ID) return undefined;
    if (name === HANDLES_XATTR) return this.#openFiles;
    if (name !== LOOKUPS_XATTR) return undefined;
    let sum = -1;
    for (const node of this.#nodes.values()) sum += node.lookups;
    return sum;
  }

  #fd(nodeId: number): number {
    return this.#nodes.get(nodeId)?.fd ?? -1;
  }

  #path(nodeId: number): string {
    return `/proc/self/fd/${this.#fd(nodeId)}`;
  }

  /**
   * The present path: xattr calls must not follow the link in /proc when the node itself is one.
   */
  #resolved(nodeId: number): string {
    const target = libc.readlinkAt(libc.At.FDCWD, this.#path(nodeId));
    return typeof target === "number" ? "" : decodeFileName(target);
  }

  #created(
    result: number,
    parentId: number,
    name: string,
    mode: number | undefined,
    caller: Caller,
    out: EntrySlot,
  ): number {
    if (result < 0) return result;
    libc.statFd(this.#fd(parentId), this.#stat);
    const isInherited = (this.#stat.mode & 0o2000) !== 0;
    const gid = isInherited ? libc.KEEP_ID : caller.gid;
    const owned = libc.chownAt(this.#fd(parentId), name, caller.uid, gid);
    if (owned < 0) return owned;
    // The kernel has applied the requester's umask already; the host applied ours on top.
    if (mode !== undefined) {
      const inherited = (mode & 0o170000) === 0o040000 && isInherited ? 0o2000 : 0;
      libc.chmodAt(this.#fd(parentId), name, mode & 0o7777 | inherited);
    }
    return this.lookup(parentId, name, out);
  }

  #killSuidgid(nodeId: number): void {
    libc.statFd(this.#fd(nodeId), this.#stat);
    const { mode } = this.#stat;
    const kept = mode & 0o7777 & ~0o4000 & ~((mode & 0o10) !== 0 ? 0o2000 : 0);
    if (kept !== (mode & 0o7777)) libc.chmodAt(libc.At.FDCWD, this.#path(nodeId), kept);
  }

  #withFile(nodeId: number, flags: number, run: (fd: number) => number): number {
    const fd = libc.open(this.#path(nodeId), flags);
    if (fd < 0) return fd;
    const result = run(fd);
    libc.close(fd);
    return result;
  }

  #fill(out: AttributesSlot): void {
    const { device: _, ...attributes } = this.#stat;
    Object.assign(out, attributes);
    out.timeoutSeconds = TIMEOUT_SECONDS;
  }
}

function makeNode(fd: number, ino: number, lookups: number): HostNode {
  return { fd, ino, lookups, backingId: 0, backingOpens: 0 };
}

function setTimes(path: string, change: AttributeChange): number {
  const { mask } = change;
  const nanoseconds = (set: number, now: number, value: number) =>
    mask & now ? libc.UTIME_NOW : mask & set ? value : libc.UTIME_OMIT;
  return libc.utimensAt(
    libc.At.FDCWD,
    path,
    change.atimeSeconds,
    nanoseconds(Change.ATIME, Change.ATIME_NOW, change.atimeNanoseconds),
    change.mtimeSeconds,
    nanoseconds(Change.MTIME, Change.MTIME_NOW, change.mtimeNanoseconds),
  );
}
