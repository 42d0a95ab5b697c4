/**
 * Requests that make, remove, link and move names: what may have to wait for the lower tree is
 * fetched first, then the names change under the namespace lock.
 *
 * All methods return 0 or a negative errno.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import type { Caller, EntrySlot, OpenSlot } from "#src/tree/file_system.ts";
import { FileType } from "#src/tree/node.ts";
import type { NodeAttributes } from "./node_attributes.ts";
import type { OverlayContext } from "./context.ts";
import type { CopyUp } from "./copy_up.ts";
import { DiffNames } from "./diff_names.ts";
import type { LowerChild } from "./found.ts";
import type { Lookups } from "./lookups.ts";
import { Namespace, type NewNode } from "./namespace.ts";
import type { NodeTable } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";
import type { OpenFiles } from "./open_files.ts";
import { Renaming } from "./renaming.ts";

const { Errno, OpenFlag } = host;

/** What all of one thread's overlay use. */
export interface NameParts {
  readonly nodes: Nodes;
  readonly attributes: NodeAttributes;
  readonly lookups: Lookups;
  readonly copyUp: CopyUp;
  readonly files: OpenFiles;
}

/** Answers them for one thread. */
export class NameRequests {
  readonly #table: NodeTable;
  readonly #nodes: Nodes;
  readonly #attributes: NodeAttributes;
  readonly #lookups: Lookups;
  readonly #copyUp: CopyUp;
  readonly #files: OpenFiles;
  readonly #names: DiffNames;
  readonly #namespace: Namespace;
  readonly #renaming: Renaming;

  constructor(context: OverlayContext, parts: NameParts) {
    this.#table = context.table;
    this.#nodes = parts.nodes;
    this.#attributes = parts.attributes;
    this.#lookups = parts.lookups;
    this.#copyUp = parts.copyUp;
    this.#files = parts.files;
    this.#names = new DiffNames(context, this.#nodes);
    this.#namespace = new Namespace(context, this.#nodes, this.#copyUp, this.#names);
    this.#renaming = new Renaming(context, this.#nodes, this.#copyUp, this.#names);
  }

  /** A node of any type. It is in the diff alone; no name of the lower tree shows through. */
  make(
    parentId: number,
    name: string,
    node: NewNode,
    caller: Caller,
    out: EntrySlot,
  ): number {
    return this.#withName(parentId, name, (parent, lower) => {
      const result = this.#namespace.make(parent, name, lower, node, caller, false);
      return result < 0 ? result : this.#lookups.enter(parent, name, lower, out);
    });
  }

  /** Gives the node its file in the diff first; EXDEV between kept and volatile directories. */
  link(nodeId: number, newParentId: number, newName: string, out: EntrySlot): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    if (this.#table.type(slot) === EntryType.DIRECTORY) return -Errno.EPERM;
    this.#copyUp.fetch(slot);
    return this.#withName(newParentId, newName, (parent, lower) => {
      const result = this.#namespace.link(slot, parent, newName, lower);
      return result < 0 ? result : this.#lookups.enter(parent, newName, lower, out);
    });
  }

  /** Hides a name of the lower tree by a whiteout, or removes what only the diff has. */
  unlink(parentId: number, name: string): number {
    return this.#withName(
      parentId,
      name,
      (parent, lower) => this.#namespace.unlink(parent, name, lower),
    );
  }

  /** Only what is visible counts: entries of the lower tree that are hidden do not keep it. */
  rmdir(parentId: number, name: string): number {
    this.#names.fetchEntries(this.#table.slotOf(parentId), name);
    return this.#withName(
      parentId,
      name,
      (parent, lower) => this.#namespace.rmdir(parent, name, lower),
    );
  }

  /** rename(2) with its flags NOREPLACE and EXCHANGE. */
  rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number {
    const parent = this.#table.slotOf(parentId);
    const newParent = this.#table.slotOf(newParentId);
    if (parent === 0 || newParent === 0) return -Errno.ESTALE;
    const from = { parent, name, lower: this.#nodes.lowerChild(parent, name) };
    const to = {
      parent: newParent,
      name: newName,
      lower: this.#nodes.lowerChild(newParent, newName),
    };
    this.#renaming.fetch(from, to, flags);
    this.#table.lockNamespace();
    try {
      return this.#renaming.rename(from, to, flags);
    } finally {
      this.#table.unlockNamespace();
    }
  }

  /** Makes a file where there is none, and opens it. @param flags those of open(2) */
  create(
    parentId: number,
    name: string,
    flags: number,
    mode: number,
    caller: Caller,
    entry: EntrySlot,
    open: OpenSlot,
  ): number {
    return this.#withName(parentId, name, (parent, lower) => {
      const node = { mode: (mode & 0o7777) | FileType.FILE, rdev: 0, target: "" };
      const made = this.#namespace.make(parent, name, lower, node, caller, true);
      if (made < 0 && (made !== -Errno.EEXIST || (flags & OpenFlag.EXCL) !== 0)) return made;
      const found = this.#lookups.enter(parent, name, lower, entry);
      if (found < 0) {
        if (made > 0) host.close(made);
        return found;
      }
      const slot = this.#table.slotOf(entry.nodeId);
      if (made > 0) this.#files.adopt(slot, made);
      const isEmptied = made < 0 && (flags & OpenFlag.TRUNC) !== 0;
      let opened = isEmptied ? this.#copyUp.ensureUpper(slot, true) : 0;
      if (opened === 0) opened = this.#files.open(slot, flags, isEmptied, false, open);
      // Now it is open: its attributes may have a shorter life than when they were read.
      entry.attributes.timeoutSeconds = this.#attributes.timeoutSeconds(slot);
      if (opened < 0) {
        this.#table.addLookups(slot, -1);
        this.#nodes.freeIfUnused(slot);
      }
      return opened;
    });
  }

  /**
   * Runs `change` under the namespace lock, with what the lower tree has under a name; what may
   * have to wait for that tree is done before.
   */
  #withName(
    parentId: number,
    name: string,
    change: (parent: number, lower: LowerChild) => number,
  ): number {
    const parent = this.#table.slotOf(parentId);
    if (parent === 0) return -Errno.ESTALE;
    const lower = this.#nodes.lowerChild(parent, name);
    this.#copyUp.fetchDirectories(parent);
    this.#table.lockNamespace();
    try {
      return change(parent, lower);
    } finally {
      this.#table.unlockNamespace();
    }
  }
}
