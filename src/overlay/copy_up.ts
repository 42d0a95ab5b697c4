/**
 * Copy-up: making a node of the lower tree stand in the diff, before its first change.
 *
 * A file becomes a partial file without a single block (`partial_file.ts`): no content is copied,
 * whatever its size. Only a small file that is plain in the backup is copied whole, which leaves a
 * plain file in the diff that the kernel can serve alone. Everything is made under a temporary name
 * (`copy_maker.ts`), made durable and then renamed, so that a name in the diff never leads to
 * something half made.
 *
 * Unless they say otherwise, methods want the namespace lock.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { Failure } from "#src/errors.ts";
import type { FileNode, Node } from "#src/tree/node.ts";
import { COPY_SIZE, type OverlayContext } from "./context.ts";
import { CopyMaker } from "./copy_maker.ts";
import { settleCopy } from "./copy_mark.ts";
import type { Found, LowerChild } from "./found.ts";
import { LinkedFiles } from "./linked_files.ts";
import { canChange, hasSeveralNames, isCopiedWhole } from "./lower_node.ts";
import { Flag } from "./node_flags.ts";
import { noteMode, ROOT_SLOT } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";

const { Errno } = host;

/** Copies nodes up for one thread. */
export class CopyUp {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #linked: LinkedFiles;
  readonly #maker: CopyMaker;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
    this.#linked = new LinkedFiles(context);
    this.#maker = new CopyMaker(context, nodes);
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
    const { table, lower } = this.#context;
    if (slot === 0 || table.has(slot, Flag.UPPER)) return;
    this.fetchContent(lower.nodeById(table.lowerId(slot)));
    this.fetchDirectories(table.parent(slot));
  }

  /** {@link fetch} for directories that are to have something new: theirs, and those above. */
  fetchDirectories(slot: number): void {
    const { table, lower } = this.#context;
    for (let each = slot; each !== 0 && !table.has(each, Flag.UPPER); each = table.parent(each)) {
      lower.nodeById(table.lowerId(each));
    }
  }

  /** {@link fetch} for a node of the lower tree that has no slot yet. */
  fetchContent(node: LowerChild): void {
    if (node instanceof Failure || node?.kind !== "file" || !isCopiedWhole(node)) return;
    const { copyBuffer } = this.#context;
    const { size } = node.attributes;
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
    const made = this.#maker.make(slot, node, temporary, isDropped);
    if (made < 0) return made;
    const renamed = hasSeveralNames(node)
      ? this.#placeLinked(slot, node, temporary)
      : this.#rename(slot, parent, temporary);
    if (renamed < 0) {
      this.#maker.discard(node, temporary);
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
    if (result === 0) result = this.#maker.copyAttributes(node, temporary, fd);
    if (result === 0) result = this.#rename(slot, parent, temporary);
    return result < 0 ? result : this.#adopt(slot, node, fd, Flag.COPY_UNSYNCED);
  }

  /** Gives a copy under a temporary name owner, mode, times and extended attributes of the file. */
  dressCopy(node: FileNode, temporary: string, fd: number): number {
    return this.#maker.copyAttributes(node, temporary, fd);
  }

  /**
   * {@link placeCopy} for one that has its attributes ({@link dressCopy}) and is durable: it has no
   * mark.
   */
  placeDurableCopy(slot: number, node: FileNode, temporary: string, fd: number): number {
    const parent = this.#context.table.parent(slot);
    let result = this.ensureUpper(parent);
    if (result === 0) result = this.#rename(slot, parent, temporary);
    return result < 0 ? result : this.#adopt(slot, node, fd, 0);
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
    const fd = this.#maker.make(slot, node, temporary, isEmptied);
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
