/**
 * Names: making, removing and linking them in the merged tree (`renaming.ts` renames).
 *
 * Each change of a name that the lower tree has too is one host operation that puts the new state
 * and the whiteout in place together (rename over, RENAME_WHITEOUT, RENAME_EXCHANGE), so that a
 * kill at any moment leaves the old or the new names, never both or none.
 *
 * All methods want the namespace lock, and what the lower tree has under the name, and return 0 or
 * a negative errno.
 *
 * @module
 */

import { inheritAcl, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";
import type { Caller } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import type { CopyUp } from "./copy_up.ts";
import type { DiffNames } from "./diff_names.ts";
import { writeMarker } from "./directory_marker.ts";
import { removeHostTree } from "./host_directory.ts";
import { Flag } from "./node_flags.ts";
import { Found, type LowerChild } from "./found.ts";
import type { Nodes } from "./nodes.ts";

const { Errno, OpenFlag } = host;
const SETGID = 0o2000;

/** What is to be made: the file type in `mode`, and what the type needs. */
export interface NewNode {
  readonly mode: number;
  readonly rdev: number;
  /** Target of a symbolic link. */
  readonly target: string;
}

/** Changes names for one thread. */
export class Namespace {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #copyUp: CopyUp;
  readonly #names: DiffNames;
  readonly #found = new Found();
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes, copyUp: CopyUp, names: DiffNames) {
    this.#context = context;
    this.#nodes = nodes;
    this.#copyUp = copyUp;
    this.#names = names;
  }

  /**
   * Makes a node of any type.
   *
   * @returns 0, a descriptor when `keepOpen` and the type is a regular file, or a negative errno
   */
  make(
    parent: number,
    name: string,
    lower: LowerChild,
    node: NewNode,
    caller: Caller,
    keepOpen: boolean,
  ): number {
    if (this.#nodes.isVolatileDirectory(parent, name)) return -Errno.EEXIST;
    if (this.#nodes.isReserved(parent, name, lower)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, lower, found);
    if (result < 0) return result;
    if (found.exists) return -Errno.EEXIST;
    const isDevice = (node.mode & FileType.MASK) === FileType.CHARACTER_DEVICE && node.rdev === 0;
    if (isDevice) return -Errno.EPERM;
    const ready = this.#copyUp.ensureUpper(parent);
    if (ready < 0) return ready;
    const { table, tmpFd } = this.#context;
    const isDirectory = (node.mode & FileType.MASK) === FileType.DIRECTORY;
    if (!found.whiteout) {
      return this.#makeHost(table.fd(parent), name, node, caller, parent, keepOpen);
    }
    // What the lower tree has under that name must not show through a directory.
    const needsMarker = isDirectory && found.lower !== undefined;
    const temporary = this.#context.temporaryName();
    const made = this.#makeHost(tmpFd, temporary, node, caller, parent, keepOpen || isDirectory);
    if (made < 0) return made;
    let placed = 0;
    if (isDirectory) {
      if (needsMarker) placed = writeMarker(this.#context, made, undefined);
      host.close(made);
      if (placed === 0) placed = this.#names.exchange(tmpFd, temporary, table.fd(parent), name);
      if (placed === 0) host.unlinkAt(tmpFd, temporary);
    } else {
      placed = host.renameAt(tmpFd, temporary, table.fd(parent), name);
    }
    if (placed === 0) return isDirectory ? 0 : made;
    if (isDirectory) removeHostTree(tmpFd, temporary);
    else {
      if (keepOpen && made > 0) host.close(made);
      host.unlinkAt(tmpFd, temporary);
    }
    return placed;
  }

  /** Makes a node of the host with the caller as owner. */
  #makeHost(
    directoryFd: number,
    name: string,
    node: NewNode,
    caller: Caller,
    parent: number,
    keepOpen: boolean,
  ): number {
    const type = node.mode & FileType.MASK;
    const defaults = this.#defaultAcl(parent, type);
    const inherited = defaults === undefined ? undefined : inheritAcl(defaults, node.mode);
    let gid = caller.gid;
    let permissions = (inherited?.mode ?? node.mode & ~caller.umask) & 0o7777;
    if (host.statFd(this.#context.table.fd(parent), this.#stat) === 0) {
      if ((this.#stat.mode & SETGID) !== 0) {
        gid = this.#stat.gid;
        if (type === FileType.DIRECTORY) permissions |= SETGID;
      }
    }
    let fd = 0;
    if (type === FileType.FILE) {
      const flags = OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
      fd = host.openAt(directoryFd, name, flags, permissions);
      if (fd < 0) return fd;
    } else {
      const result = type === FileType.DIRECTORY
        ? host.mkdirAt(directoryFd, name, permissions)
        : type === FileType.SYMLINK
        ? host.symlinkAt(node.target, directoryFd, name)
        : host.mknodAt(directoryFd, name, type | permissions, node.rdev);
      if (result < 0) return result;
    }
    let owned = this.#setOwner(directoryFd, name, type, permissions, caller.uid, gid);
    // What is made in its own directory has inherited from it; elsewhere nothing, or something
    // else.
    if (owned === 0 && defaults !== undefined && directoryFd === this.#context.tmpFd) {
      owned = this.#setAcls(directoryFd, name, inherited!.access, type, defaults);
    }
    if (owned < 0) {
      if (fd > 0) host.close(fd);
      if (type === FileType.DIRECTORY) host.rmdirAt(directoryFd, name);
      else host.unlinkAt(directoryFd, name);
      return owned;
    }
    if (type === FileType.DIRECTORY && keepOpen) {
      return host.openAt(directoryFd, name, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    }
    if (type === FileType.FILE && !keepOpen) {
      host.close(fd);
      fd = 0;
    }
    return fd;
  }

  /** The default ACL of a directory, for what is about to be made in it. */
  #defaultAcl(parent: number, type: number): Uint8Array | undefined {
    const { options, table } = this.#context;
    if (!options.extendedAttributes || type === FileType.SYMLINK) return undefined;
    const value = host.getXattr(table.fd(parent), XATTR_ACL_DEFAULT);
    return typeof value === "number" || value.length === 0 ? undefined : value;
  }

  #setAcls(
    directoryFd: number,
    name: string,
    access: Uint8Array | undefined,
    type: number,
    defaults: Uint8Array,
  ): number {
    const path = `/proc/self/fd/${directoryFd}/${name}`;
    if (access !== undefined) {
      const result = host.setLinkXattr(path, XATTR_ACL_ACCESS, access, 0);
      if (result < 0) return result;
    }
    if (type !== FileType.DIRECTORY) return 0;
    return host.setLinkXattr(path, XATTR_ACL_DEFAULT, defaults, 0);
  }

  #setOwner(
    directoryFd: number,
    name: string,
    type: number,
    permissions: number,
    uid: number,
    gid: number,
  ): number {
    if (!this.#context.isRoot) return 0;
    if (uid !== 0 || gid !== 0) {
      const result = host.chownAt(directoryFd, name, uid, gid);
      if (result < 0) return result;
    }
    // chown takes these bits away, mkdir does not set them.
    if ((permissions & 0o7000) !== 0 && type !== FileType.SYMLINK) {
      return host.chmodAt(directoryFd, name, permissions);
    }
    return 0;
  }

  /** Makes another name for a node. */
  link(slot: number, parent: number, name: string, lower: LowerChild): number {
    if (this.#nodes.isReserved(parent, name, lower)) return -Errno.EPERM;
    const { table, tmpFd } = this.#context;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, lower, found);
    if (result < 0) return result;
    if (found.exists) return -Errno.EEXIST;
    if (table.has(slot, Flag.DELETED)) return -Errno.ENOENT;
    if (table.has(slot, Flag.VOLATILE) !== table.has(parent, Flag.VOLATILE)) return -Errno.EXDEV;
    table.noteMove(slot);
    let ready = this.#copyUp.ensureUpper(slot);
    if (ready === 0) ready = this.#copyUp.settleBeforeNaming(slot);
    if (ready === 0) ready = this.#copyUp.ensureUpper(parent);
    if (ready < 0) return ready;
    const directoryFd = found.whiteout ? tmpFd : table.fd(parent);
    const newName = found.whiteout ? this.#context.temporaryName() : name;
    const fd = table.fd(slot);
    let linked: number;
    if (fd >= 0) {
      linked = host.linkAt(
        host.At.FDCWD,
        `/proc/self/fd/${fd}`,
        directoryFd,
        newName,
        true,
      );
    } else {
      const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
      linked = host.linkAt(place.fd, place.name, directoryFd, newName);
    }
    if (linked < 0 || !found.whiteout) return linked;
    const placed = host.renameAt(tmpFd, newName, table.fd(parent), name);
    if (placed < 0) host.unlinkAt(tmpFd, newName);
    return placed;
  }

  /** Removes a name of anything but a directory. */
  unlink(parent: number, name: string, lower: LowerChild): number {
    if (this.#nodes.isReserved(parent, name, lower)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, lower, found);
    if (result < 0) return result;
    if (!found.exists) return -Errno.ENOENT;
    if (found.isDirectory) return -Errno.EISDIR;
    const needsWhiteout = found.lower !== undefined;
    const ready = this.#copyUp.ensureUpper(parent);
    if (ready < 0) return ready;
    const { table } = this.#context;
    const known = this.#nodes.knownSlot(found);
    const counted = this.#copyUp.countNames(parent, name, found);
    if (counted < 0) return counted;
    if (known !== 0) this.#nodes.pin(known);
    const removed = needsWhiteout
      ? this.#names.placeWhiteout(parent, name)
      : host.unlinkAt(table.fd(parent), name);
    if (removed === 0 && known !== 0) this.#noteRemoved(known);
    return removed;
  }

  /** Removes an empty directory. */
  rmdir(parent: number, name: string, lower: LowerChild): number {
    if (this.#nodes.isVolatileDirectory(parent, name)) return -Errno.EBUSY;
    if (this.#nodes.isReserved(parent, name, lower)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, lower, found);
    if (result < 0) return result;
    if (!found.exists) return -Errno.ENOENT;
    if (!found.isDirectory) return -Errno.ENOTDIR;
    const { table } = this.#context;
    const slot = this.#nodes.slotFor(parent, name, found);
    const empty = this.#names.isEmpty(slot);
    let removed = empty ? this.#copyUp.ensureUpper(parent) : -Errno.ENOTEMPTY;
    if (removed === 0) {
      const parentFd = table.fd(parent);
      if (!found.upper) {
        removed = this.#names.placeWhiteout(parent, name);
      } else {
        removed = this.#names.removeDirectory(parentFd, name, found.lower !== undefined);
      }
      if (removed === 0) table.setFlags(slot, Flag.DELETED);
    }
    this.#nodes.freeIfUnused(slot);
    return removed;
  }

  /** After a name of a known node went: whether it was the last one. */
  #noteRemoved(slot: number): void {
    const { table } = this.#context;
    const fd = table.fd(slot);
    if (!table.has(slot, Flag.UPPER) && !this.#nodes.hasOneLowerName(slot)) return;
    const isLast = !table.has(slot, Flag.UPPER) || fd < 0 ||
      (host.statFd(fd, this.#stat) === 0 && this.#stat.nlink === 0);
    if (isLast) table.setFlags(slot, Flag.DELETED);
    this.#nodes.freeIfUnused(slot);
  }
}
