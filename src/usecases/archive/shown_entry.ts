/**
 * What listings show of an entry, read in order from an archive or looked up in a tree.
 *
 * @module
 */

import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { type EntryFacts, entryFactsOf } from "#src/tree/entry_facts.ts";
import type { DirectoryEntry, StoredLink } from "#src/tree/node.ts";

/** An entry, or a further name of a file. */
export type ShownEntry = EntryFacts | Pick<StoredLink, "kind" | "targetPath">;

/** An entry of a directory, with links as they are stored. */
export function shownEntry(entry: DirectoryEntry): ShownEntry {
  return entry.link ?? entryFactsOf(entry.node);
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
