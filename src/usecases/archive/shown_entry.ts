/**
 * What listings show of an entry, read in order from an archive or looked up in a tree.
 *
 * @module
 */

import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { DeviceNode, DirectoryEntry, Node, StoredLink, SymlinkNode } from "#src/tree/node.ts";

/** An entry that stands for itself. */
export type ShownNode =
  & { readonly metadata: Metadata }
  & (
    | { readonly kind: "file"; readonly size: number }
    | Pick<SymlinkNode, "kind" | "target">
    | Pick<DeviceNode, "kind" | "major" | "minor">
    | { readonly kind: "directory" | "fifo" | "socket" }
  );

/** An entry, or a further name of a file. */
export type ShownEntry = ShownNode | Pick<StoredLink, "kind" | "targetPath">;

/** A node of a tree. */
export function shownNode(node: Node): ShownNode {
  if (node.kind !== "file") return node;
  return { kind: "file", metadata: node.metadata, size: node.attributes.size };
}

/** An entry of a directory, with links as they are stored. */
export function shownEntry(entry: DirectoryEntry): ShownEntry {
  return entry.link ?? shownNode(entry.node);
}

/** Whether an entry is a directory; a link is not followed. */
export function isDirectoryEntry(entry: DirectoryEntry): boolean {
  return entry.link === undefined && entry.node.kind === "directory";
}

/** An entry met while an archive is read in order. */
export function shownPxarEntry(entry: PxarEntry | PxarHardlink): ShownEntry {
  if (entry.kind !== "file") return entry;
  return { kind: "file", metadata: entry.metadata, size: entry.payload.size };
}
