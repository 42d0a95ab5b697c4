/**
 * Copy-up: making a node of the lower tree stand in the diff, before its first change.
 *
 * A file becomes a partial file without a single block (`partial_file.ts`): no content is copied,
 * whatever its size. Only a small file that is plain in the backup is copied whole, which leaves a
 * plain file in the diff that the kernel can serve alone. Everything is made under a temporary
 * name, made durable and then renamed, so that a name in the diff never leads to something half
 * made.
 *
 * Unless they say otherwise, methods want the namespace lock.
 *
 * @module
 */

import { restrictedMode, XATTR_ACL_ACCESS } from "#src/bytes/posix_acl.ts";
import * as host from "#ffi/libc/calls.ts";
import { type FileNode, FileType, type Node, type SymlinkNode } from "#src/tree/node.ts";
import { COPY_SIZE, type OverlayContext } from "./context.ts";
import { settleCopy } from "./copy_mark.ts";
import { encodeMarker, MARKER_NAME } from "./directory_marker.ts";
import type { Found } from "./found.ts";
import { LinkedFiles } from "./linked_files.ts";
import { formatLinkReference } from "./link_reference.ts";
import { Flag, noteMode, ROOT_SLOT } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";
import { blockCount, encodePartialHeader } from "./partial_file.ts";

const { Errno, OpenFlag } = host;

/** Largest plain file that is copied whole: one WAL segment of the usual size. */
export const WHOLE_COPY_SIZE_MAX = 16 << 20;

/** Copies nodes up for one thread. */
export class CopyUp {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #linked: LinkedFiles;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
    this.#linked = new LinkedFiles(context);
    nodes.nameLinked = (parent, name, { id }) => {
      if (!this.#linked.has(id)) return 0;
      const result = this.#nameLinked(parent, name, id);
      return result < 0 ? result : 1;
    };
  }

  /**
   * Reads what {@link ensureUpper} needs of a file: a lower tree that does not answer then does so
   * before a lock is held that all others want. Needs no lock itself.
   *
   * @param slot 0 for a node that is gone
   */
  fetch(slot: number): void {
    const { table, lower, copyBuffer } = this.#context;
    if (slot === 0 || table.has(slot, Flag.UPPER)) return;
    const node = lower.nodeById(table.lowerId(slot));
    if (node?.kind !== "file") return;
    const { size } = node.attributes;
    if (!isCopiedWhole(node)) return;
    for (let done = 0; done < size; done += COPY_SIZE) {
      const count = Math.min(COPY_SIZE, size - done);
      this.#context.lowerContent(node.id).readInto(copyBuffer, 0, count, done);
    }
  }

  /**
   * Makes a node stand in the diff, and its parents with it.
   *
   * @param isEmptied the content is about to be dropped and need not be reachable
   * @returns 0 or a negative errno
   */
  ensureUpper(slot: number, isEmptied = false): number {
    const { table, lower } = this.#context;
    if (table.has(slot, Flag.UPPER)) return 0;
    const node = lower.nodeById(table.lowerId(slot));
    if (node === undefined) return -Errno.EIO;
    if (!canChange(node)) return -Errno.EPERM;
    // Other names would keep what goes with the mount.
    if (hasSeveralNames(node) && table.has(slot, Flag.VOLATILE)) return -Errno.EPERM;
    if (table.has(slot, Flag.DELETED)) return this.#copyDeleted(slot, node, isEmptied);
    const parent = table.parent(slot);
    const result = this.ensureUpper(parent);
    if (result < 0) return result;
    return this.#copyInto(slot, node, parent, isEmptied);
  }

  #copyInto(slot: number, node: Node, parent: number, isEmptied: boolean): number {
    const temporary = this.#context.temporaryName();
    // In a file with several names the diff must see which one it is.
    const isDropped = isEmptied && !hasSeveralNames(node);
    const made = this.#make(slot, node, temporary, isDropped);
    if (made < 0) return made;
    const renamed = hasSeveralNames(node)
      ? this.#placeLinked(slot, node, temporary)
      : this.#rename(slot, parent, temporary);
    if (renamed < 0) {
      this.#discard(node, temporary);
      if (made > 0) host.close(made);
      return renamed;
    }
    const isPartial = node.kind === "file" && !isDropped && !isCopiedWhole(node);
    return this.#adopt(slot, node, made, isPartial ? Flag.PARTIAL : 0);
  }

  /**
   * Puts a whole copy of a file, made under a temporary name and marked as such (`copy_mark.ts`),
   * in the file's place.
   *
   * @param fd the copy's descriptor, which belongs to the node when this succeeds
   * @returns 0 or a negative errno
   */
  placeCopy(slot: number, node: FileNode, temporary: string, fd: number): number {
    const parent = this.#context.table.parent(slot);
    let result = this.ensureUpper(parent);
    if (result === 0) result = this.#copyAttributes(node, temporary, fd);
    if (result === 0) result = this.#rename(slot, parent, temporary);
    return result < 0 ? result : this.#adopt(slot, node, fd, Flag.COPY_UNSYNCED);
  }

  #rename(slot: number, parent: number, temporary: string): number {
    const { table, tmpFd } = this.#context;
    const place = this.#nodes.hostPlace(parent, table.name(slot));
    return this.#unnoticed(parent, () => host.renameAt(tmpFd, temporary, place.fd, place.name));
  }

  /** Puts a name into a directory that looks the same afterwards: so must its times. */
  #unnoticed(directory: number, change: () => number): number {
    const fd = this.#context.table.fd(directory);
    const hasTimes = host.statFd(fd, this.#stat) === 0;
    const result = change();
    if (result === 0 && hasTimes) this.#restoreTimes(fd);
    return result;
  }

  #placeLinked(slot: number, node: Node, temporary: string): number {
    const { table } = this.#context;
    const placed = this.#linked.place(temporary, node.id, node.attributes.nlink);
    return placed < 0 ? placed : this.#nameLinked(table.parent(slot), table.name(slot), node.id);
  }

  #nameLinked(parent: number, name: string, lowerId: number): number {
    const ready = this.ensureUpper(parent);
    if (ready < 0) return ready;
    const place = this.#nodes.hostPlace(parent, name);
    return this.#unnoticed(parent, () => this.#linked.name(lowerId, place));
  }

  /**
   * Before a name goes: when it is one of several of a file that stands only in the lower tree,
   * makes the file stand in the diff, so that its names are counted.
   *
   * @returns 0 or a negative errno
   */
  countNames(parent: number, name: string, found: Found): number {
    if (found.upper || found.whiteout || found.lower === undefined) return 0;
    // What a directory of the lower tree gives may not know how many names there are.
    const node = this.#context.lower.nodeById(found.lower.id);
    if (node?.kind !== "file" || !hasSeveralNames(node)) return 0;
    const slot = this.#nodes.slotFor(parent, name, found);
    const result = this.ensureUpper(slot);
    this.#nodes.freeIfUnused(slot);
    return result;
  }

  #restoreTimes(fd: number): void {
    const stat = this.#stat;
    host.utimensAt(
      fd,
      "",
      stat.atimeSeconds,
      stat.atimeNanoseconds,
      stat.mtimeSeconds,
      stat.mtimeNanoseconds,
    );
  }

  /** A file without a name, but with handles, gets a nameless file in the diff. */
  #copyDeleted(slot: number, node: Node, isEmptied: boolean): number {
    if (node.kind !== "file") return -Errno.ENOENT;
    const temporary = this.#context.temporaryName();
    const fd = this.#make(slot, node, temporary, isEmptied);
    if (fd < 0) return fd;
    host.unlinkAt(this.#context.tmpFd, temporary);
    this.#context.table.setFlags(slot, Flag.PINNED);
    return this.#adopt(slot, node, fd, isEmptied || isCopiedWhole(node) ? 0 : Flag.PARTIAL);
  }

  /** @param kind {@link Flag} that says what kind of file of the diff it is */
  #adopt(slot: number, node: Node, fd: number, kind: number): number {
    const { table, counters } = this.#context;
    const hasFd = node.kind === "directory" || node.kind === "file";
    const result = hasFd ? host.statFd(fd, this.#stat) : this.#statPlace(slot);
    if (result < 0) return result;
    table.setKey(slot, this.#stat.ino);
    noteMode(table, slot, this.#stat.mode);
    if (hasFd) table.setFd(slot, fd);
    // Directories are known again by their name or marker, and partial files by their header.
    const isRecorded = node.kind === "directory" || (kind & Flag.PARTIAL) !== 0;
    const origin = isRecorded ? 0 : Flag.INO_UNRECORDED;
    table.setFlags(slot, Flag.UPPER | Flag.NAME_UNSYNCED | origin | kind);
    // Nobody has it open: the descriptor would never be closed.
    if (node.kind === "file" && table.opens(slot) === 0 && !table.has(slot, Flag.PINNED)) {
      table.setFd(slot, -1);
      host.close(fd);
    }
    counters.add("filesCopiedUp", 1);
    return 0;
  }

  #statPlace(slot: number): number {
    const { table } = this.#context;
    const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
    return host.statAt(place.fd, place.name, this.#stat);
  }

  /**
   * Makes a node under a temporary name.
   *
   * @returns a descriptor for files and directories, 0 for the rest, or a negative errno
   */
  #make(slot: number, node: Node, temporary: string, isEmptied: boolean): number {
    const { tmpFd } = this.#context;
    let fd = 0;
    if (node.kind === "directory") {
      const made = host.mkdirAt(tmpFd, temporary, 0o700);
      if (made < 0) return made;
      fd = host.openAt(tmpFd, temporary, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    } else if (node.kind === "file") {
      fd = this.#makeFile(slot, node, temporary, isEmptied);
    } else if (node.kind === "symlink") {
      fd = host.symlinkAt(this.#linkText(slot, node), tmpFd, temporary);
    } else {
      fd = host.mknodAt(tmpFd, temporary, node.attributes.mode, node.attributes.rdev);
    }
    if (fd < 0) return fd;
    let result: number = -Errno.EIO;
    try {
      result = this.#copyAttributes(node, temporary, fd);
      const isSynced = node.kind === "file" && !this.#context.options.skipFsync;
      if (result === 0 && isSynced) result = host.fdatasync(fd);
      return result === 0 ? fd : result;
    } finally {
      if (result !== 0) {
        if (fd > 0) host.close(fd);
        this.#discard(node, temporary);
      }
    }
  }

  #linkText(slot: number, node: SymlinkNode): string {
    if (node.followsMount !== true) return node.target;
    const { table, nonce } = this.#context;
    const lowerPath = this.#nodes.lowerPathIn(table.parent(slot), table.name(slot));
    return formatLinkReference(nonce, lowerPath);
  }

  #discard(node: Node, temporary: string): void {
    const { tmpFd } = this.#context;
    if (node.kind === "directory") host.rmdirAt(tmpFd, temporary);
    else host.unlinkAt(tmpFd, temporary);
  }

  #copyAttributes(node: Node, temporary: string, fd: number): number {
    const { tmpFd, isRoot } = this.#context;
    const { uid, gid, mode, mtime } = node.attributes;
    if (isRoot) {
      const result = host.chownAt(tmpFd, temporary, uid, gid);
      if (result < 0) return result;
    }
    if (node.kind === "directory" || node.kind === "file") {
      const result = host.fchmod(fd, mode & 0o7777);
      if (result < 0) return result;
      const copied = copyNodeXattrs(node, fd);
      if (copied < 0) return copied;
    }
    const { seconds, nanoseconds } = mtime;
    host.utimensAt(tmpFd, temporary, seconds, nanoseconds, seconds, nanoseconds);
    return 0;
  }

  #makeFile(slot: number, node: FileNode, temporary: string, isEmptied: boolean): number {
    const { tmpFd } = this.#context;
    const fd = host.openAt(
      tmpFd,
      temporary,
      OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW,
      0o600,
    );
    if (fd < 0 || isEmptied) return fd;
    let result: number = -Errno.EIO;
    try {
      result = isCopiedWhole(node)
        ? this.#copyContent(node, fd)
        : this.#writeHeader(slot, node, fd);
      return result >= 0 ? fd : result;
    } finally {
      if (result < 0) {
        host.close(fd);
        host.unlinkAt(tmpFd, temporary);
      }
    }
  }

  #copyContent(node: FileNode, fd: number): number {
    const { copyBuffer, counters } = this.#context;
    const content = this.#context.lowerContent(node.id);
    const { size } = node.attributes;
    let done = 0;
    while (done < size) {
      const count = content.readInto(copyBuffer, 0, Math.min(COPY_SIZE, size - done), done);
      if (count === 0) return -Errno.EIO;
      const written = host.pwriteFully(fd, copyBuffer.address, count, done);
      if (written < 0) return written;
      if (written < count) return -Errno.ENOSPC;
      done += count;
    }
    counters.add("wholeCopies", 1);
    counters.add("bytesCopied", size);
    return 0;
  }

  /** Writes header and empty maps; everything that later changes in them is allocated now. */
  #writeHeader(slot: number, node: FileNode, fd: number): number {
    const { table, nonce, bootId, copyBuffer } = this.#context;
    const { size } = node.attributes;
    const lowerPath = table.has(slot, Flag.DELETED)
      ? ""
      : this.#nodes.lowerPathIn(table.parent(slot), table.name(slot));
    const mapBlocks = blockCount(size);
    const { bytes, layout } = encodePartialHeader(
      { lowerPath, mapBlocks, visibleSize: size, bootId },
      nonce,
    );
    const header = host.nativeBufferOf(bytes);
    let written = host.pwriteFully(fd, header.address, bytes.length, 0);
    if (written < 0) return written;
    let offset = bytes.length;
    copyBuffer.bytes.fill(0, 0, Math.min(COPY_SIZE, layout.dataOffset - offset));
    while (written >= 0 && offset < layout.dataOffset) {
      const count = Math.min(COPY_SIZE, layout.dataOffset - offset);
      written = host.pwriteFully(fd, copyBuffer.address, count, offset);
      if (written < 0) return written;
      if (written < count) return -Errno.ENOSPC;
      offset += count;
    }
    table.setPartial(slot, layout.dataOffset, mapBlocks, size);
    return host.ftruncate(fd, layout.dataOffset + size);
  }

  /** Writes the marker that says which lower directory a directory of the diff continues. */
  writeMarker(slot: number, lowerPath: string | undefined): number {
    const { table } = this.#context;
    return this.writeMarkerIn(table.fd(slot), lowerPath);
  }

  /** As {@link writeMarker}, for an open directory that is not a node yet. */
  writeMarkerIn(directoryFd: number, lowerPath: string | undefined): number {
    const { tmpFd, options } = this.#context;
    const temporary = this.#context.temporaryName();
    const fd = host.openAt(
      tmpFd,
      temporary,
      OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW,
      0o600,
    );
    if (fd < 0) return fd;
    const content = host.nativeBufferOf(encodeMarker(lowerPath));
    let result = host.pwriteFully(fd, content.address, content.bytes.length, 0);
    if (result >= 0) result = result < content.bytes.length ? -Errno.ENOSPC : 0;
    if (result === 0 && !options.skipFsync) result = host.fdatasync(fd);
    host.close(fd);
    if (result === 0) result = host.renameAt(tmpFd, temporary, directoryFd, MARKER_NAME);
    if (result < 0) host.unlinkAt(tmpFd, temporary);
    return result;
  }

  /**
   * Before a whole copy gets another name: makes it durable. What is not durable is removed after a
   * power cut, and only under its first name the backup's file comes to light then.
   *
   * @returns 0 or a negative errno
   */
  settleBeforeNaming(slot: number): number {
    const { table } = this.#context;
    if (!table.has(slot, Flag.COPY_UNSYNCED)) return 0;
    table.lockNode(slot);
    try {
      const wasOpen = table.fd(slot) >= 0;
      const fd = this.#nodes.ensureFileFd(slot);
      if (fd < 0) return fd;
      const result = settleCopy(fd);
      if (result === 0) table.clearFlags(slot, Flag.COPY_UNSYNCED);
      if (!wasOpen && table.opens(slot) === 0) {
        table.setFd(slot, -1);
        host.close(fd);
      }
      return result;
    } finally {
      table.unlockNode(slot);
    }
  }

  /**
   * Makes the names of copied-up nodes durable: theirs, and those of the directories above.
   *
   * @returns 0 or a negative errno
   */
  syncNames(slot: number): number {
    const { table } = this.#context;
    let current = slot;
    // Before a name leads to it: else the others would still show what was there before.
    const linked = table.hasLinkedFiles ? this.#linked.sync() : 0;
    if (linked < 0) return linked;
    while (current !== ROOT_SLOT && table.has(current, Flag.NAME_UNSYNCED)) {
      const parent = table.parent(current);
      table.clearFlags(current, Flag.NAME_UNSYNCED);
      const result = host.fsync(table.fd(parent));
      if (result < 0) {
        table.setFlags(current, Flag.NAME_UNSYNCED);
        return result;
      }
      current = parent;
    }
    return 0;
  }
}

/**
 * Gives an open file or directory of the diff the extended attributes of a node, as far as its disk
 * takes them.
 *
 * @returns 0 or a negative errno
 */
export function copyNodeXattrs(node: Node, fd: number): number {
  for (const [name, value] of node.xattrs()) {
    const set = host.setXattr(fd, name, value, 0);
    if (set === 0) continue;
    if (set !== -Errno.EOPNOTSUPP && set !== -Errno.EPERM) return set;
    // Without its ACL the mode would give the owning group what is the mask for all.
    const isAcl = name === XATTR_ACL_ACCESS;
    if (isAcl) host.fchmod(fd, restrictedMode(value, node.attributes.mode) & 0o7777);
  }
  return 0;
}

/** Whether a node of the lower tree has more names than one; directories have not. */
export function hasSeveralNames(node: Node): boolean {
  return node.kind !== "directory" && node.attributes.nlink > 1;
}

/**
 * Whether a node of the lower tree can be changed in the diff. A link or device with several names
 * would become two: the changed one, and the old one under its other names; files are looked after
 * (`linked_files.ts`). A device 0:0 would be a whiteout there.
 */
export function canChange(node: Node): boolean {
  if (node.kind === "directory") return true;
  const { mode, rdev } = node.attributes;
  const isLikeWhiteout = (mode & FileType.MASK) === FileType.CHARACTER_DEVICE && rdev === 0;
  return (node.kind === "file" || !hasSeveralNames(node)) && !isLikeWhiteout;
}

/**
 * Whether a file is copied whole rather than by blocks. One with several names is not: the header
 * of a partial file says which file it is.
 */
export function isCopiedWhole(node: FileNode): boolean {
  if (hasSeveralNames(node)) return false;
  return node.attributes.size === 0 ||
    (node.plainPath !== undefined && node.attributes.size <= WHOLE_COPY_SIZE_MAX);
}

/** `st_mode` of a whiteout. */
export const WHITEOUT_MODE = FileType.CHARACTER_DEVICE;
