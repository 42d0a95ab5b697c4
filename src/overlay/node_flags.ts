/**
 * What the shared table (`node_table.ts`) keeps of a node in single bits, and how it is open.
 *
 * @module
 */

/** Flags of a node. */
export const Flag = {
  ALLOCATED: 1,
  /** The node stands in the diff directory. */
  UPPER: 2,
  /** Its file in the diff is a partial file (`partial_file.ts`). */
  PARTIAL: 4,
  /** Its last name is gone. */
  DELETED: 8,
  /** The working block map has blocks that the durable one lacks. */
  MAP_DIRTY: 0x10,
  /** The working block map was written before the last boot: the durable one counts. */
  MAP_OLD_BOOT: 0x20,
  /** The descriptor stays open until the node is forgotten, since no name leads to the file. */
  PINNED: 0x40,
  /** Changed by this program behind the kernel's back: never cached. */
  LIVE: 0x80,
  /** Below a directory whose changes are not part of the diff. */
  VOLATILE: 0x100,
  /** Copied up, and the directories above do not yet durably name it. */
  NAME_UNSYNCED: 0x200,
  /** The descriptor could only be opened for reading. */
  READ_ONLY_FD: 0x400,
  /** Was open in passthrough mode: pages that the kernel may have of it are old. */
  CACHE_OLD: 0x800,
  /** Its mode may have a set-user-id or set-group-id bit. */
  SETID: 0x1000,
  /** The visible size in the header of the partial file is larger than the one that counts. */
  LIMIT_UNSAVED: 0x2000,
  /** A whole copy whose bytes may not be on the disk yet (`copy_mark.ts`). */
  COPY_UNSYNCED: 0x4000,
  /**
   * Came from the lower tree, and nothing in the diff says so: forgotten, it would come back with
   * another inode number.
   */
  INO_UNRECORDED: 0x8000,
} as const;

/** How the kernel does I/O on an inode while it is open; fixed until the last close. */
export const IoMode = { NONE: 0, CACHED: 1, PASSTHROUGH: 2 } as const;
