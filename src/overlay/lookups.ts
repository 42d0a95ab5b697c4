/**
 * Lookups: names that the kernel asks for, and the nodes that it then knows.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { AttributesSlot, EntrySlot } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import { Found, type LowerChild } from "./found.ts";
import { CACHE_TIMEOUT_SECONDS, type NodeAttributes } from "./node_attributes.ts";
import { Flag } from "./node_flags.ts";
import type { NodeTable } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";

const { Errno } = host;

/** Looks names up for one thread. */
export class Lookups {
  readonly #table: NodeTable;
  readonly #nodes: Nodes;
  readonly #attributes: NodeAttributes;
  readonly #found = new Found();
  /** Node of the lower tree whose attributes {@link lookup} has still to fill in. */
  #lateSlot = 0;

  constructor({ table }: OverlayContext, nodes: Nodes, attributes: NodeAttributes) {
    this.#table = table;
    this.#nodes = nodes;
    this.#attributes = attributes;
  }

  /**
   * Finds a name for the kernel, and takes one lookup. Takes the namespace lock.
   *
   * @returns 0, also when there is no such name and that may be remembered, or a negative errno
   */
  lookup(parent: number, name: string, out: EntrySlot): number {
    const lower = this.#nodes.lowerChild(parent, name);
    this.#lateSlot = 0;
    this.#table.lockNamespace();
    try {
      const result = this.enter(parent, name, lower, out, true);
      // Names that this program makes by itself may come at any time; the others only through the
      // kernel.
      if (result === -Errno.ENOENT && !this.#nodes.isControlDirectory(parent)) {
        out.nodeId = 0;
        out.timeoutSeconds = CACHE_TIMEOUT_SECONDS;
        return 0;
      }
      if (result !== 0) return result;
    } finally {
      this.#table.unlockNamespace();
    }
    if (this.#lateSlot !== 0) this.#fillLate(this.#lateSlot, out.attributes);
    return 0;
  }

  /** Fills in what {@link enter} left out. */
  #fillLate(slot: number, out: AttributesSlot): void {
    try {
      this.#attributes.fromLower(slot, out);
    } catch (error) {
      // Nobody heard of the node. Its slot is kept for the next one who asks for the name.
      this.#table.addLookups(slot, -1);
      throw error;
    }
  }

  /**
   * Finds a name, fills `out` and takes one lookup. Wants the namespace lock.
   *
   * @param lower what the lower tree has under the name
   * @param mayBeLate the caller fills in attributes from the lower tree when it holds no lock any
   *   more, since that may have to wait for its source
   * @returns 0, or -ENOENT or another negative errno
   */
  enter(
    parent: number,
    name: string,
    lower: LowerChild,
    out: EntrySlot,
    mayBeLate = false,
  ): number {
    const found = this.#found;
    let result = this.#nodes.find(parent, name, lower, found);
    if (result < 0) return result === -Errno.EPERM ? -Errno.ENOENT : result;
    if (!found.exists) return -Errno.ENOENT;
    const slot = this.#nodes.slotFor(parent, name, found);
    const isLate = mayBeLate && !this.#table.has(slot, Flag.UPPER);
    if (isLate) this.#lateSlot = slot;
    result = isLate ? 0 : this.#attributes.read(slot, out.attributes);
    if (result < 0) {
      this.#nodes.freeIfUnused(slot);
      return result;
    }
    out.nodeId = this.#table.nodeIdOf(slot);
    out.timeoutSeconds = this.#table.has(slot, Flag.LIVE) ? 0 : CACHE_TIMEOUT_SECONDS;
    this.#table.addLookups(slot, 1);
    return 0;
  }
}
