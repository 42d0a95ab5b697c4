/**
 * What a name means in the merged tree.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { Failure } from "#src/errors.ts";
import { FileType, type Node } from "#src/tree/node.ts";

/**
 * What the lower tree has under a name: a node, nothing, or why that is not known. It never
 * changes, so it can be asked for before any lock is taken.
 */
export type LowerChild = Node | Failure | undefined;

/** What a name means. Reused: valid until the next {@link Nodes.find} with the same object. */
export class Found {
  /** The name is in the diff and no whiteout; `stat` has its attributes. */
  upper = false;
  whiteout = false;
  /** Why it is not known whether the lower tree has a name that the diff has, or hides. */
  damage: Failure | undefined = undefined;
  readonly stat: host.HostStat = new host.HostStat();
  #lower: Node | undefined = undefined;

  /**
   * The lower tree has the name (which the diff may hide).
   *
   * @throws {Failure} {@link damage}: what the diff has can be used, but not moved away
   */
  get lower(): Node | undefined {
    if (this.damage !== undefined) throw this.damage;
    return this.#lower;
  }

  set lower(node: Node | undefined) {
    this.#lower = node;
  }

  /** Whether the merged tree has the name. */
  get exists(): boolean {
    return this.upper || (!this.whiteout && this.lower !== undefined);
  }

  get isDirectory(): boolean {
    return this.upper
      ? (this.stat.mode & FileType.MASK) === FileType.DIRECTORY
      : this.lower?.kind === "directory";
  }
}

/** Name in `tmp` of what stands for volatile directory number `index`. */
export function volatileName(index: number): string {
  return `volatile-${index}`;
}
