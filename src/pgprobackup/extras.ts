/**
 * The directory in the root that holds what a backup has beside the data directory: tablespaces in
 * `tblspc/OID`, external directories in `external/N`.
 *
 * @module
 */

import type { ChainTable } from "./chain_table.ts";

/** Name of the directory; no listed file may have it. */
export const EXTRAS_NAME = ".pbkfs";

/** In {@link EXTRAS_NAME}: tablespaces, to which links lead from {@link TABLESPACE_LINKS_NAME}. */
export const TABLESPACES_NAME = "tblspc";

/** In {@link EXTRAS_NAME}: external directories. */
export const EXTERNAL_NAME = "external";

/** Where the data directory has its tablespaces, and the lists their files. */
export const TABLESPACE_LINKS_NAME = "pg_tblspc";

/**
 * Target of the link of a tablespace.
 *
 * Where the place of the data directory is known the target is absolute: base backups give it to
 * clients as the location, and tools that restore a backup want an absolute one. It lies in the
 * data directory, where the server's user gets to for sure, under a name that listings of a mount
 * leave out: a walk of the directory must not find the files twice.
 *
 * @param mountPath absolute path of the data directory; undefined for a relative target
 */
export function tablespaceLinkTarget(mountPath: string | undefined, oid: string): string {
  return `${mountPath ?? ".."}/${EXTRAS_NAME}/${TABLESPACES_NAME}/${oid}`;
}

/** Path of a file as the lists have it: below the data directory or its external directory. */
export function listedPath(table: ChainTable, id: number): string {
  const names: string[] = [];
  for (let node = id; node !== table.parent(node); node = table.parent(node)) {
    names.unshift(table.name(node));
  }
  if (names[0] !== EXTRAS_NAME) return names.join("/");
  if (names[1] === EXTERNAL_NAME) return names.slice(3).join("/");
  return [TABLESPACE_LINKS_NAME, ...names.slice(2)].join("/");
}
