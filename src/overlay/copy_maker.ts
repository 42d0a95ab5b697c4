/**
 * Copies of nodes of the lower tree, under temporary names in the diff's `tmp` directory.
 *
 * They are complete and their bytes durable before they are given their place (`copy_up.ts`). All
 * methods want the namespace lock.
 *
 * @module
 */

import { restrictedMode, XATTR_ACL_ACCESS } from "#src/bytes/posix_acl.ts";
import * as host from "#ffi/libc/calls.ts";
import type { FileNode, Node, SymlinkNode } from "#src/tree/node.ts";
import { COPY_SIZE, type OverlayContext } from "./context.ts";
import { formatLinkReference } from "./link_reference.ts";
import { isCopiedWhole } from "./lower_node.ts";
import { Flag } from "./node_flags.ts";
import type { Nodes } from "./nodes.ts";
import { blockCount, encodePartialHeader } from "./partial_file.ts";

const { Errno, OpenFlag } = host;

/** Makes copies for one thread. */
export class CopyMaker {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /**
   * Makes a node under a temporary name.
   *
   * @returns a descriptor for files and directories, 0 for the rest, or a negative errno
   */
  make(slot: number, node: Node, temporary: string, isEmptied: boolean): number {
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
      result = this.copyAttributes(node, temporary, fd);
      const isSynced = node.kind === "file" && !this.#context.options.skipFsync;
      if (result === 0 && isSynced) result = host.fdatasync(fd);
      return result === 0 ? fd : result;
    } finally {
      if (result !== 0) {
        if (fd > 0) host.close(fd);
        this.discard(node, temporary);
      }
    }
  }

  #linkText(slot: number, node: SymlinkNode): string {
    if (node.followsMount !== true) return node.target;
    const { table, nonce } = this.#context;
    const lowerPath = this.#nodes.lowerPathIn(table.parent(slot), table.name(slot));
    return formatLinkReference(nonce, lowerPath);
  }

  /** Removes what {@link make} made. */
  discard(node: Node, temporary: string): void {
    const { tmpFd } = this.#context;
    if (node.kind === "directory") host.rmdirAt(tmpFd, temporary);
    else host.unlinkAt(tmpFd, temporary);
  }

  /**
   * Gives a node under a temporary name the owner, mode, times and extended attributes of the lower
   * one.
   *
   * @param fd its descriptor, where it is a file or directory
   * @returns 0 or a negative errno
   */
  copyAttributes(node: Node, temporary: string, fd: number): number {
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
