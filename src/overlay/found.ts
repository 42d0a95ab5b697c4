/**
 * What a name means in the merged tree.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { FileType, type Node } from "#src/tree/node.ts";

/** What a name means. Reused: valid until the next {@link Nodes.find} with the same object. */
export class Found {
  /** The name is in the diff and no whiteout; `stat` has its attributes. */
  upper = false;
  whiteout = false;
  /** The lower tree has the name (which the diff may hide). */
  lower: Node | undefined = undefined;
  readonly stat: host.HostStat = new host.HostStat();

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
