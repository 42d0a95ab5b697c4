/**
 * What random access finds in an archive: entries with their places.
 *
 * @module
 */

import type { PxarEntry, PxarHardlink } from "./entry.ts";
import { GOODBYE_ITEM_SIZE } from "./format/goodbye.ts";

/** A table made of what was seen of a directory whose own cannot be read. */
export interface RebuiltTable {
  /** As the table would be stored. */
  readonly view: DataView;
  /** Number of children seen. */
  readonly count: number;
  /** Where they end. */
  readonly offset: number;
  /** Why the directory may hold more. */
  readonly damage: Error;
}

/** Where a directory's children and its table are. */
export interface PxarTable {
  /** Offset of the directory's ENTRY header. */
  readonly entryOffset: number;
  /** Offset of the first child, or of the GOODBYE header when there is none. */
  readonly childrenOffset: number;
  /** Offset of the GOODBYE header. */
  readonly offset: number;
  /** Number of children. */
  readonly count: number;
  /** Takes the place of the table that is stored. */
  readonly rebuilt?: RebuiltTable;
  /**
   * Directories above this one; 0 for the root, and unknown (0) where it was found by its table.
   */
  readonly depth: number;
}

/** An entry found. */
export interface PxarNode {
  /** Empty for the root. */
  readonly name: string;
  /**
   * Offset of the FILENAME header (of the ENTRY header for the root): the identity of the entry.
   */
  readonly offset: number;
  /** Offset behind its last byte in the metadata stream. */
  readonly end: number;
  /** Kind and metadata; the content of files is opened by the accessor. */
  readonly entry: PxarEntry;
  /** There for directories. */
  readonly table: PxarTable | undefined;
}

/** A hard link found. */
export interface PxarLinkNode {
  /** Last part of the path. */
  readonly name: string;
  /** Offset of the FILENAME header. */
  readonly offset: number;
  /** Offset behind its last byte in the metadata stream. */
  readonly end: number;
  /** Says where the file is that it is a further name of. */
  readonly entry: PxarHardlink;
  /** A link has no entries. */
  readonly table: undefined;
}

/** What a directory holds. `entry.kind` distinguishes them. */
export type PxarChild = PxarNode | PxarLinkNode;

/**
 * What a directory is found again by: the offset of its table's last item, or its own where there
 * is no such table.
 */
export function directoryPlace(directory: PxarNode): number {
  const isRoot = directory.table?.depth === 0 && directory.name === "";
  if (directory.table?.rebuilt !== undefined && !isRoot) return directory.offset;
  return directory.end - GOODBYE_ITEM_SIZE;
}
