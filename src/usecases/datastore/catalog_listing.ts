/**
 * Directories of an archive of a snapshot, by the snapshot's catalog.
 *
 * @module
 */

import { hasCatalog, openCatalog } from "#src/backup/catalog_access.ts";
import { defaultFileName } from "#src/pbs/format/archive_name.ts";
import type { CatalogEntry } from "#src/pbs/format/catalog.ts";
import type { CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { compareNames, splitPath } from "#src/tree/paths.ts";
import type { Listing } from "../archive/directories.ts";

/**
 * Directories of the archive `name`; undefined when it is in no catalog. The tables of a catalog
 * lie together, those of the archive between the contents.
 */
export function catalogListing(snapshot: SnapshotReader, name: string): Listing | undefined {
  if (!hasCatalog(snapshot)) return undefined;
  const catalog = openCatalog(snapshot);
  const archive = defaultFileName(name);
  return catalog.find([archive]) === undefined ? undefined : listByCatalog(catalog, archive);
}

function listByCatalog(catalog: CatalogReader, archive: string): Listing {
  const find = (path: string): CatalogEntry | undefined =>
    catalog.find([archive, ...splitPath(path)]);
  return {
    isDirectory(path) {
      const entry = find(path);
      return entry === undefined ? undefined : entry.kind === "directory";
    },
    list(path) {
      const directory = find(path);
      if (directory?.kind !== "directory") return [];
      return catalog.entries(directory)
        .map(({ name, kind }) => ({ name, isDirectory: kind === "directory" }))
        .sort((a, b) => compareNames(a.name, b.name));
    },
  };
}
