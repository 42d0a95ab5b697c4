/**
 * All that a tree says of single entries.
 *
 * @module
 */

import { findDirectoryEntry, joinPath, splitPath } from "#src/tree/paths.ts";
import { entryFactsOf } from "#src/tree/entry_facts.ts";
import type { Node, PayloadRange } from "#src/tree/node.ts";
import type { ShownEntry } from "./shown_entry.ts";
import { type NamedTree, notFound } from "./trees.ts";

/** An entry in full. */
export interface EntryDescription {
  readonly path: string;
  readonly entry: ShownEntry;
  /** Where the entry begins in the archive; undefined where the tree is none. */
  readonly offset: number | undefined;
  /** Where the content of a file lies in the archive. */
  readonly payload?: PayloadRange | undefined;
  /** What a hard link stands for. */
  readonly target?: EntryDescription;
}

/** Describes entries, hard links with what they stand for. @throws {StateError} `not-found` */
export function describeEntries(
  { tree, name }: NamedTree,
  paths: readonly string[],
): EntryDescription[] {
  return paths.map((text) => {
    const path = joinPath(splitPath(text));
    const found = findDirectoryEntry(tree, path);
    if (found === undefined) throw notFound(path, name);
    const { link } = found;
    if (link === undefined) return describeNode(path, found.node);
    const target = describeNode(`/${link.targetPath}`, found.node);
    return { path, entry: link, offset: link.offset, target };
  });
}

function describeNode(path: string, node: Node): EntryDescription {
  const payload = node.kind === "file" ? node.payload : undefined;
  return { path, entry: entryFactsOf(node), offset: node.offset, payload };
}
