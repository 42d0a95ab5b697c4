/**
 * All that an archive says of single entries.
 *
 * @module
 */

import type { PxarAccessor, PxarNode } from "#src/pxar/accessor.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { joinPath, splitPath } from "#src/tree/paths.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { notFound, openAccessor } from "./archive_tables.ts";

/** Which entries to describe. */
export interface DescriptionRequest {
  readonly archive: ArchiveInput;
  readonly paths: readonly string[];
}

/** An entry in full. */
export interface EntryDescription {
  readonly path: string;
  readonly entry: PxarEntry | PxarHardlink;
  /** Where the entry begins in the archive. */
  readonly offset: number;
  /** What a hard link stands for. */
  readonly target?: EntryDescription;
}

/** Describes entries, hard links with what they stand for. @throws {StateError} `not-found` */
export function describeEntries(request: DescriptionRequest): EntryDescription[] {
  using files = request.archive.openFiles();
  const accessor = openAccessor(files);
  return request.paths.map((path) => describeEntry(accessor, path, files.name));
}

/**
 * Describes one entry; `name` is what messages call the archive. @throws {StateError} `not-found`
 */
export function describeEntry(
  accessor: PxarAccessor,
  text: string,
  name: string,
): EntryDescription {
  const path = joinPath(splitPath(text));
  const child = accessor.lookupChild(path);
  if (child === undefined) throw notFound(path, name);
  const description = { path, entry: child.entry, offset: child.offset };
  if (child.entry.kind !== "hardlink") return description;
  const target = accessor.lookup(path) as PxarNode;
  const targetPath = `/${child.entry.targetPath}`;
  return {
    ...description,
    target: { path: targetPath, entry: target.entry, offset: target.offset },
  };
}
