/**
 * Types of files: as bits of `st_mode`, and as directories list them.
 *
 * @module
 */

/** File type bits of `st_mode`. */
export const FileType = {
  MASK: 0o170000,
  SOCKET: 0o140000,
  SYMLINK: 0o120000,
  FILE: 0o100000,
  BLOCK_DEVICE: 0o060000,
  DIRECTORY: 0o040000,
  CHARACTER_DEVICE: 0o020000,
  FIFO: 0o010000,
} as const;

/**
 * Types of directory entries, `d_type` of readdir(3): {@link FileType} without the bits of
 * permissions.
 */
export const EntryType = {
  /** The file system does not tell. */
  UNKNOWN: 0,
  FIFO: 1,
  CHARACTER_DEVICE: 2,
  DIRECTORY: 4,
  BLOCK_DEVICE: 6,
  FILE: 8,
  SYMLINK: 10,
  SOCKET: 12,
} as const;

/** The {@link EntryType} of `st_mode`. */
export function entryType(mode: number): number {
  return mode >> 12 & 15;
}

/** Inode number that listings show of entries without one; FUSE's own choice. */
export const UNKNOWN_INO = 0xffff_ffff;
