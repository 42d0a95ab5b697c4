/**
 * Names: making, removing, renaming and linking them in the merged tree.
 *
 * Each change of a name that the lower tree has too is one host operation that puts the new state and the
 * whiteout in place together (rename over, RENAME_WHITEOUT, RENAME_EXCHANGE), so that a kill at any moment
 * leaves the old or the new names, never both or none.
 *
 * All methods want the namespace lock and return 0 or a negative errno.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import { FileType } from "#src/tree/node.ts";
import type { Caller } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import { type CopyUp, WHITEOUT_MODE } from "./copy_up.ts";
import { readHostDirectory, removeHostTree } from "./host_directory.ts";
import { MARKER_NAME } from "./directory_marker.ts";
import { Flag, ROOT_SLOT } from "./node_table.ts";
import { Found, isWhiteout, type Nodes } from "./nodes.ts";

const { Errno, OpenFlag, RenameFlag } = host;
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
  readonly #found = new Found();
  readonly #newFound = new Found();
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes, copyUp: CopyUp) {
    this.#context = context;
    this.#nodes = nodes;
    this.#copyUp = copyUp;
  }

  /**
   * Makes a node of any type.
   *
   * @returns 0, a descriptor when `keepOpen` and the type is a regular file, or a negative errno
   */
  make(
    parent: number,
    name: string,
    node: NewNode,
    caller: Caller,
    keepOpen: boolean,
  ): number {
    if (this.#isVolatileDirectory(parent, name)) return -Errno.EEXIST;
    if (this.#nodes.isReserved(parent, name)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, found);
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
    const temporary = this.#context.temporaryName();
    const made = this.#makeHost(tmpFd, temporary, node, caller, parent, keepOpen || isDirectory);
    if (made < 0) return made;
    let placed = 0;
    if (isDirectory) {
      // What the lower tree has under that name must not show through.
      if (found.lower !== undefined) placed = this.#copyUp.writeMarkerIn(made, undefined);
      host.close(made);
      if (placed === 0) placed = this.#exchange(tmpFd, temporary, table.fd(parent), name);
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
    let gid = caller.gid;
    let permissions = node.mode & 0o7777;
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
        : host.mknodAt(directoryFd, name, node.mode, node.rdev);
      if (result < 0) return result;
    }
    const owned = this.#setOwner(directoryFd, name, type, permissions, caller.uid, gid);
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
  link(slot: number, parent: number, name: string): number {
    if (this.#nodes.isReserved(parent, name)) return -Errno.EPERM;
    const { table, tmpFd } = this.#context;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, found);
    if (result < 0) return result;
    if (found.exists) return -Errno.EEXIST;
    if (table.has(slot, Flag.DELETED)) return -Errno.ENOENT;
    if (table.has(slot, Flag.VOLATILE) !== table.has(parent, Flag.VOLATILE)) return -Errno.EXDEV;
    let ready = this.#copyUp.ensureUpper(slot);
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
  unlink(parent: number, name: string): number {
    if (this.#nodes.isReserved(parent, name)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, found);
    if (result < 0) return result;
    if (!found.exists) return -Errno.ENOENT;
    if (found.isDirectory) return -Errno.EISDIR;
    const ready = this.#copyUp.ensureUpper(parent);
    if (ready < 0) return ready;
    const { table } = this.#context;
    const known = this.#nodes.knownSlot(found);
    if (known !== 0) this.#nodes.pin(known);
    const removed = found.lower !== undefined
      ? this.#placeWhiteout(parent, name)
      : host.unlinkAt(table.fd(parent), name);
    if (removed === 0 && known !== 0) this.#noteRemoved(known);
    return removed;
  }

  /** Removes an empty directory. */
  rmdir(parent: number, name: string): number {
    if (this.#isVolatileDirectory(parent, name)) return -Errno.EBUSY;
    if (this.#nodes.isReserved(parent, name)) return -Errno.EPERM;
    const found = this.#found;
    const result = this.#nodes.find(parent, name, found);
    if (result < 0) return result;
    if (!found.exists) return -Errno.ENOENT;
    if (!found.isDirectory) return -Errno.ENOTDIR;
    const { table, tmpFd } = this.#context;
    const slot = this.#nodes.slotFor(parent, name, found);
    const empty = this.#isEmpty(slot);
    let removed = empty ? this.#copyUp.ensureUpper(parent) : -Errno.ENOTEMPTY;
    if (removed === 0) {
      const parentFd = table.fd(parent);
      if (!found.upper) {
        removed = this.#placeWhiteout(parent, name);
      } else if (found.lower !== undefined) {
        const temporary = this.#context.temporaryName();
        removed = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
        if (removed === 0) removed = this.#exchange(tmpFd, temporary, parentFd, name);
        if (removed === 0) removeHostTree(tmpFd, temporary);
        else host.unlinkAt(tmpFd, temporary);
      } else {
        removed = this.#removeUpperDirectory(parentFd, name);
      }
      if (removed === 0) table.setFlags(slot, Flag.DELETED);
    }
    this.#nodes.freeIfUnused(slot);
    return removed;
  }

  #removeUpperDirectory(parentFd: number, name: string): number {
    const { tmpFd } = this.#context;
    const removed = host.rmdirAt(parentFd, name);
    if (removed !== -Errno.ENOTEMPTY && removed !== -Errno.EEXIST) return removed;
    // Whiteouts and a marker are left: gone with one rename, cleared away after.
    const temporary = this.#context.temporaryName();
    const renamed = host.renameAt(parentFd, name, tmpFd, temporary);
    if (renamed === 0) removeHostTree(tmpFd, temporary);
    return renamed;
  }

  /** Whether the merged directory has no entries. */
  #isEmpty(slot: number): boolean {
    const { table } = this.#context;
    const hidden = new Set<string>();
    const fd = table.fd(slot);
    if (fd >= 0) {
      for (const entry of readHostDirectory(fd)) {
        if (entry.name === MARKER_NAME) continue;
        host.unwrap(host.statAt(fd, entry.name, this.#stat), "stat", entry.name);
        if (!isWhiteout(this.#stat)) return false;
        hidden.add(entry.name);
      }
    }
    for (const { name } of this.#nodes.lowerDirectory(slot)?.entries() ?? []) {
      if (!hidden.has(name)) return false;
    }
    return true;
  }

  #placeWhiteout(parent: number, name: string): number {
    const { table, tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let result = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
    if (result === 0) result = host.renameAt(tmpFd, temporary, table.fd(parent), name);
    if (result < 0) host.unlinkAt(tmpFd, temporary);
    return result;
  }

  /** RENAME_EXCHANGE, or what comes closest where the host's file system lacks it. */
  #exchange(fd: number, name: string, otherFd: number, otherName: string): number {
    const exchanged = host.renameAt(fd, name, otherFd, otherName, RenameFlag.EXCHANGE);
    if (exchanged !== -Errno.EINVAL) return exchanged;
    const { tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let result = host.renameAt(otherFd, otherName, tmpFd, temporary);
    if (result === 0) result = host.renameAt(fd, name, otherFd, otherName);
    if (result === 0) result = host.renameAt(tmpFd, temporary, fd, name);
    return result;
  }

  /** After a name of a known node went: whether it was the last one. */
  #noteRemoved(slot: number): void {
    const { table } = this.#context;
    const fd = table.fd(slot);
    const isLast = !table.has(slot, Flag.UPPER) || fd < 0 ||
      (host.statFd(fd, this.#stat) === 0 && this.#stat.nlink === 0);
    if (isLast) table.setFlags(slot, Flag.DELETED);
    this.#nodes.freeIfUnused(slot);
  }

  /** rename(2) with its flags NOREPLACE and EXCHANGE. */
  rename(
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): number {
    if ((flags & ~(RenameFlag.NOREPLACE | RenameFlag.EXCHANGE)) !== 0) return -Errno.EINVAL;
    if (
      this.#isVolatileDirectory(parent, name) || this.#isVolatileDirectory(newParent, newName)
    ) return -Errno.EBUSY;
    if (this.#nodes.isReserved(parent, name) || this.#nodes.isReserved(newParent, newName)) {
      return -Errno.EPERM;
    }
    const { table } = this.#context;
    if (table.has(parent, Flag.VOLATILE) !== table.has(newParent, Flag.VOLATILE)) {
      return -Errno.EXDEV;
    }
    const source = this.#found;
    const target = this.#newFound;
    let result = this.#nodes.find(parent, name, source);
    if (result === 0) result = this.#nodes.find(newParent, newName, target);
    if (result < 0) return result;
    if (!source.exists) return -Errno.ENOENT;
    const isExchange = (flags & RenameFlag.EXCHANGE) !== 0;
    if (isExchange && !target.exists) return -Errno.ENOENT;
    if ((flags & RenameFlag.NOREPLACE) !== 0 && target.exists) return -Errno.EEXIST;
    const slot = this.#nodes.slotFor(parent, name, source);
    const replaced = target.exists ? this.#nodes.slotFor(newParent, newName, target) : 0;
    if (replaced === slot) {
      // Two names of one file: rename(2) leaves both.
      this.#nodes.freeIfUnused(slot);
      return 0;
    }
    table.addLookups(slot, 1);
    if (replaced !== 0) table.addLookups(replaced, 1);
    try {
      result = isExchange
        ? this.#exchangeNodes(slot, parent, name, replaced, newParent, newName, source, target)
        : this.#move(slot, parent, name, replaced, newParent, newName, source, target);
    } finally {
      table.addLookups(slot, -1);
      if (replaced !== 0) table.addLookups(replaced, -1);
      if (replaced !== 0) this.#nodes.freeIfUnused(replaced);
      this.#nodes.freeIfUnused(slot);
    }
    return result;
  }

  #move(
    slot: number,
    parent: number,
    name: string,
    replaced: number,
    newParent: number,
    newName: string,
    source: Found,
    target: Found,
  ): number {
    const { table, tmpFd } = this.#context;
    const isDirectory = source.isDirectory;
    if (replaced !== 0) {
      if (isDirectory && !target.isDirectory) return -Errno.ENOTDIR;
      if (!isDirectory && target.isDirectory) return -Errno.EISDIR;
      if (isDirectory && !this.#isEmpty(replaced)) return -Errno.ENOTEMPTY;
    }
    let result = this.#copyUp.ensureUpper(slot);
    if (result === 0) result = this.#copyUp.ensureUpper(newParent);
    if (result === 0 && isDirectory) result = this.#keepLower(slot, parent, name, target);
    if (result < 0) return result;
    if (replaced !== 0) this.#nodes.pin(replaced);
    const newFd = table.fd(newParent);
    const needsWhiteout = source.lower !== undefined;
    if (isDirectory && target.upper) {
      // An empty directory may hold whiteouts, over which the host would not rename.
      result = this.#removeUpperDirectory(newFd, newName);
    }
    if (result < 0) return result;
    if (isDirectory && target.whiteout) {
      result = this.#exchange(table.fd(parent), name, newFd, newName);
      if (result === 0 && !needsWhiteout) result = host.unlinkAt(table.fd(parent), name);
    } else {
      result = this.#hostRename(table.fd(parent), name, newFd, newName, needsWhiteout, tmpFd);
    }
    if (result < 0) return result;
    table.move(slot, newParent, newName);
    table.setFlags(slot, Flag.NAME_UNSYNCED);
    if (replaced !== 0) this.#noteReplaced(replaced);
    return 0;
  }

  #noteReplaced(slot: number): void {
    const { table } = this.#context;
    const fd = table.fd(slot);
    const isLast = !table.has(slot, Flag.UPPER) || fd < 0 ||
      host.statFd(fd, this.#stat) < 0 || this.#stat.nlink === 0 ||
      (this.#stat.mode & FileType.MASK) === FileType.DIRECTORY;
    if (isLast) table.setFlags(slot, Flag.DELETED);
  }

  #hostRename(
    fd: number,
    name: string,
    newFd: number,
    newName: string,
    needsWhiteout: boolean,
    tmpFd: number,
  ): number {
    if (!needsWhiteout) return host.renameAt(fd, name, newFd, newName);
    const renamed = host.renameAt(fd, name, newFd, newName, RenameFlag.WHITEOUT);
    if (renamed !== -Errno.EINVAL) return renamed;
    // A host file system without whiteout renames: a kill between the two shows the file under both names.
    const temporary = this.#context.temporaryName();
    let result = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
    if (result === 0) result = host.renameAt(fd, name, newFd, newName);
    if (result === 0) result = host.renameAt(tmpFd, temporary, fd, name);
    if (result < 0) host.unlinkAt(tmpFd, temporary);
    return result;
  }

  /** Before a directory goes to another place: notes in it which lower directory it continues. */
  #keepLower(slot: number, parent: number, name: string, target: Found): number {
    const { table } = this.#context;
    const lowerId = table.lowerId(slot);
    const defaultId = target.lower?.kind === "directory" ? target.lower.id : 0;
    const hasMarker = this.#nodes.readMarker(table.fd(slot)) !== null;
    if (hasMarker || lowerId === defaultId) return 0;
    const path = lowerId === 0 ? undefined : this.#nodes.lowerPathIn(parent, name);
    return this.#copyUp.writeMarker(slot, path);
  }

  #exchangeNodes(
    slot: number,
    parent: number,
    name: string,
    other: number,
    newParent: number,
    newName: string,
    source: Found,
    target: Found,
  ): number {
    const { table } = this.#context;
    let result = this.#copyUp.ensureUpper(slot);
    if (result === 0) result = this.#copyUp.ensureUpper(other);
    if (result === 0 && source.isDirectory) result = this.#keepLower(slot, parent, name, target);
    if (result === 0 && target.isDirectory) {
      result = this.#keepLower(other, newParent, newName, source);
    }
    if (result === 0) {
      result = this.#exchange(table.fd(parent), name, table.fd(newParent), newName);
    }
    if (result < 0) return result;
    table.move(slot, newParent, newName);
    table.move(other, parent, name);
    return 0;
  }

  #isVolatileDirectory(parent: number, name: string): boolean {
    return parent === ROOT_SLOT && this.#context.options.volatileDirectories.includes(name);
  }
}
