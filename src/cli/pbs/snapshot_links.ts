/**
 * How many names the files of an archive in a snapshot have.
 *
 * @module
 */

import { openArchive } from "#src/backup/archive_access.ts";
import { defaultFileName } from "#src/pbs/format/archive_name.ts";
import type { CatalogDirectory } from "#src/pbs/format/catalog.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { countLinks } from "../pxar/link_counts.ts";
import { hasCatalog, openCatalog } from "./catalog_entries.ts";
import { snapshotInput } from "./snapshot_input.ts";
import { isImageName } from "./snapshot_tree.ts";

/**
 * Number of names of each file with several, by the id of its node in the archive's tree. Where contents lie between metadata, all of it
 * would have to be loaded: there the catalog tells which entries are links, and only these are looked up.
 */
export function countSnapshotLinks(
  snapshot: SnapshotReader,
  archive: string,
): ReadonlyMap<number, number> {
  if (isImageName(archive)) return new Map();
  const top = hasCatalog(snapshot)
    ? openCatalog(snapshot).find([defaultFileName(archive)])
    : undefined;
  if (top?.kind === "directory") return countByCatalog(snapshot, archive, top);
  using streams = snapshotInput(snapshot, archive).openStreams();
  return countLinks(streams);
}

function countByCatalog(
  snapshot: SnapshotReader,
  archive: string,
  top: CatalogDirectory,
): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  using open = openArchive(snapshot, archive);
  for (const [names, { kind }] of openCatalog(snapshot).walk(top)) {
    if (kind !== "hardlink") continue;
    const file = open.accessor.lookup(names.join("/"));
    if (file !== undefined) counts.set(file.offset, (counts.get(file.offset) ?? 1) + 1);
  }
  return counts;
}
