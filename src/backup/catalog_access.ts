/**
 * Catalogs of snapshots.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { catalogBytes } from "#src/pbs/snapshots/catalog_source.ts";
import { CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import { CATALOG_NAME } from "#src/pbs/format/manifest.ts";
import type { KnownEntry } from "#src/pxar/damage_path.ts";
import { type ArchiveHolder, requireDirectoryFiles } from "./archive_access.ts";

/** Whether a snapshot has a catalog. */
export function hasCatalog({ manifest }: ArchiveHolder): boolean {
  return manifest.files.some(({ filename }) => filename === CATALOG_NAME);
}

/**
 * Opens the catalog of a snapshot; it must have one, and be open as long as it is read. @throws
 * {FormatError}
 */
export function openCatalog(snapshot: ArchiveHolder): CatalogReader {
  return new CatalogReader(catalogBytes(snapshot.openArchive(CATALOG_NAME), plainBuffer));
}

/**
 * What the catalog says is in a directory of the archive `name`; undefined where it does not say
 * anything of the archive.
 *
 * @throws {StateError} `not-found` @throws {UsageError} when it is no archive of a directory
 */
export function knownEntriesOf(
  snapshot: ArchiveHolder,
  name: string,
): ((path: string) => readonly KnownEntry[]) | undefined {
  const files = requireDirectoryFiles(snapshot, name);
  if (files.kind !== "pxar" || !hasCatalog(snapshot)) return undefined;
  let catalog: CatalogReader | undefined;
  return (path) => {
    catalog ??= openCatalog(snapshot);
    const names = path.split("/").filter((part) => part !== "");
    const directory = catalog.find([files.index, ...names]);
    if (directory?.kind !== "directory") return [];
    return catalog.entries(directory).map((entry) => ({
      name: entry.name,
      isDirectory: entry.kind === "directory",
    }));
  };
}
