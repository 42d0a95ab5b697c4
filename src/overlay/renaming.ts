/**
 * Renaming in the merged tree.
 *
 * All methods want the namespace lock and return 0 or a negative errno.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";
import type { OverlayContext } from "./context.ts";
import type { CopyUp } from "./copy_up.ts";
import type { DiffNames } from "./diff_names.ts";
import { writeMarker } from "./directory_marker.ts";
import { Found, type LowerChild } from "./found.ts";
import { Flag } from "./node_flags.ts";
import type { Nodes } from "./nodes.ts";

const { Errno, RenameFlag } = host;

/** A name in a directory, and what the lower tree has there. */
export interface KnownName {
  readonly parent: number;
  readonly name: string;
  readonly lower: LowerChild;
}

/** Renames for one thread. */
export class Renaming {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #copyUp: CopyUp;
  readonly #names: DiffNames;
  readonly #found = new Found();
  readonly #newFound = new Found();
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes, copyUp: CopyUp, names: DiffNames) {
    this.#context = context;
    this.#nodes = nodes;
    this.#copyUp = copyUp;
    this.#names = names;
  }

  /**
   * Reads what {@link rename} needs of the lower tree, which may have to wait for its source. Needs
   * no lock.
   */
  fetch(from: KnownName, to: KnownName, flags: number): void {
    this.#copyUp.fetchDirectories(from.parent);
    this.#copyUp.fetchDirectories(to.parent);
    const moved = (flags & RenameFlag.EXCHANGE) === 0 ? [from] : [from, to];
    for (const { parent, name, lower } of moved) {
      if (!this.#nodes.isInDiff(parent, name)) this.#copyUp.fetchContent(lower);
    }
    if (moved.length === 1) this.#names.fetchEntries(to.parent, to.name);
  }

  /** rename(2) with its flags NOREPLACE and EXCHANGE. */
  rename(from: KnownName, to: KnownName, flags: number): number {
    const { parent, name } = from;
    const { parent: newParent, name: newName } = to;
    if ((flags & ~(RenameFlag.NOREPLACE | RenameFlag.EXCHANGE)) !== 0) return -Errno.EINVAL;
    if (
      this.#nodes.isVolatileDirectory(parent, name) ||
      this.#nodes.isVolatileDirectory(newParent, newName)
    ) return -Errno.EBUSY;
    const isReserved = (each: KnownName) =>
      this.#nodes.isReserved(each.parent, each.name, each.lower);
    if (isReserved(from) || isReserved(to)) return -Errno.EPERM;
    const { table } = this.#context;
    if (table.has(parent, Flag.VOLATILE) !== table.has(newParent, Flag.VOLATILE)) {
      return -Errno.EXDEV;
    }
    const source = this.#found;
    const target = this.#newFound;
    let result = this.#nodes.find(parent, name, from.lower, source);
    if (result === 0) result = this.#nodes.find(newParent, newName, to.lower, target);
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
    const { table } = this.#context;
    const isDirectory = source.isDirectory;
    if (replaced !== 0) {
      if (isDirectory && !target.isDirectory) return -Errno.ENOTDIR;
      if (!isDirectory && target.isDirectory) return -Errno.EISDIR;
      if (isDirectory && !this.#names.isEmpty(replaced)) return -Errno.ENOTEMPTY;
    }
    table.noteMove(slot);
    let result = this.#copyUp.ensureUpper(slot);
    if (result === 0) result = this.#copyUp.countNames(newParent, newName, target);
    if (result === 0) result = this.#copyUp.settleBeforeNaming(slot);
    if (result === 0) result = this.#copyUp.ensureUpper(newParent);
    if (result === 0 && isDirectory) result = this.#keepLower(slot, parent, name, target);
    if (result < 0) return result;
    if (replaced !== 0) this.#nodes.pin(replaced);
    const newFd = table.fd(newParent);
    const needsWhiteout = source.lower !== undefined;
    if (isDirectory && target.upper) {
      // An empty directory may hold whiteouts, over which the host would not rename.
      result = this.#names.removeDirectory(newFd, newName, target.lower !== undefined);
    }
    if (result < 0) return result;
    if (isDirectory && (target.whiteout || target.upper && target.lower !== undefined)) {
      result = this.#names.exchange(table.fd(parent), name, newFd, newName);
      if (result === 0 && !needsWhiteout) result = host.unlinkAt(table.fd(parent), name);
    } else {
      result = this.#names.rename(table.fd(parent), name, newFd, newName, needsWhiteout);
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
    if (!table.has(slot, Flag.UPPER) && !this.#nodes.hasOneLowerName(slot)) return;
    const isLast = !table.has(slot, Flag.UPPER) || fd < 0 ||
      host.statFd(fd, this.#stat) < 0 || this.#stat.nlink === 0 ||
      (this.#stat.mode & FileType.MASK) === FileType.DIRECTORY;
    if (isLast) table.setFlags(slot, Flag.DELETED);
  }

  /** Before a directory goes to another place: notes in it which lower directory it continues. */
  #keepLower(slot: number, parent: number, name: string, target: Found): number {
    const { table } = this.#context;
    const lowerId = table.lowerId(slot);
    const defaultId = target.lower?.kind === "directory" ? target.lower.id : 0;
    const hasMarker = this.#nodes.readMarker(table.fd(slot)) !== null;
    if (hasMarker || lowerId === defaultId) return 0;
    const path = lowerId === 0 ? undefined : this.#nodes.lowerPathIn(parent, name);
    return writeMarker(this.#context, table.fd(slot), path);
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
    table.noteMove(slot);
    table.noteMove(other);
    let result = this.#copyUp.ensureUpper(slot);
    if (result === 0) result = this.#copyUp.ensureUpper(other);
    if (result === 0) result = this.#copyUp.settleBeforeNaming(slot);
    if (result === 0) result = this.#copyUp.settleBeforeNaming(other);
    if (result === 0 && source.isDirectory) result = this.#keepLower(slot, parent, name, target);
    if (result === 0 && target.isDirectory) {
      result = this.#keepLower(other, newParent, newName, source);
    }
    if (result === 0) {
      result = this.#names.exchange(table.fd(parent), name, table.fd(newParent), newName);
    }
    if (result < 0) return result;
    table.move(slot, newParent, newName);
    table.move(other, parent, name);
    return 0;
  }
}
