/**
 * Catalogs: the names in all `.pxar` archives of a snapshot, for listing without the archives.
 *
 * A stream of a magic, then one table for each directory, children before their parents, then the
 * offset of the root's table (8 bytes). A table is the number of its bytes, then the number of its
 * entries, then the entries; all numbers are variable-length. An entry is a type byte, the length
 * of the name, the name, and
 *
 * | type                                             | then                                                          |
 * | ------------------------------------------------ | ------------------------------------------------------------- |
 * | `d` directory                                    | how far before this table the directory's own table begins    |
 * | `f` file                                         | size, time of modification in seconds (signed)                |
 * | `l` symlink, `h` hard link, `b` `c` `p` `s` nodes | nothing                                                       |
 *
 * The root's entries are the archives, as directories.
 *
 * Source: Proxmox Backup 3.4, catalog file v1.0.
 *
 * @module
 */

/** Start of the SHA-256 of `Proxmox Backup Catalog file v1.0`. */
export const CATALOG_MAGIC: Uint8Array<ArrayBuffer> = Uint8Array.fromHex("91fd60f9c46758d5");
/** Bytes of the offset at the end. */
export const CATALOG_TAIL_SIZE = 8;
/** A name is shorter. */
export const CATALOG_NAME_SIZE_LIMIT = 4096;

/** Entries that are only a name. */
export type CatalogLeafKind =
  | "symlink"
  | "hardlink"
  | "block-device"
  | "char-device"
  | "fifo"
  | "socket";

/**
 * What a catalog says of a file, link, directory or node. Names are as in `src/bytes/file_name.ts`.
 */
export type CatalogEntry =
  | { readonly kind: CatalogLeafKind; readonly name: string }
  | { readonly kind: "file"; readonly name: string; readonly size: number; readonly mtime: number }
  | CatalogDirectory;

/** A directory, with where its table is. */
export interface CatalogDirectory {
  /** Tells directories from other entries. */
  readonly kind: "directory";
  /** Without slashes. */
  readonly name: string;
  /** Offset of its table from the start of the catalog, in bytes. */
  readonly offset: number;
}

/** Type bytes. */
export const CATALOG_TYPES: Readonly<Record<CatalogEntry["kind"], number>> = {
  directory: 0x64, // d
  file: 0x66, // f
  symlink: 0x6c, // l
  hardlink: 0x68, // h
  "block-device": 0x62, // b
  "char-device": 0x63, // c
  fifo: 0x70, // p
  socket: 0x73, // s
};
