/**
 * What an entry is, without its tree: the same for one that was read in order from an archive and
 * for one that was looked up.
 *
 * @module
 */

import type { Metadata } from "./metadata.ts";
import type { DeviceNode, Node, SymlinkNode } from "./node.ts";

/** An entry that stands for itself. */
export type EntryFacts =
  & {
    /** All metadata. */
    readonly metadata: Metadata;
  }
  & (
    | {
      /** Tells regular files from others. */
      readonly kind: "file";
      /** Length in bytes. */
      readonly size: number;
    }
    | Pick<SymlinkNode, "kind" | "target">
    | Pick<DeviceNode, "kind" | "major" | "minor">
    | {
      /** Tells what has nothing else. */
      readonly kind: "directory" | "fifo" | "socket";
    }
  );

/** What a node is. */
export function entryFactsOf(node: Node): EntryFacts {
  if (node.kind !== "file") return node;
  return { kind: "file", metadata: node.metadata, size: node.attributes.size };
}
