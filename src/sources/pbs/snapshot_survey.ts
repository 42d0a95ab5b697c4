/**
 * What no table of an archive in a snapshot says.
 *
 * @module
 */

import { openArchive, openArchiveStreams } from "#src/backup/archive_access.ts";
import { hasCatalog, openCatalog } from "#src/backup/catalog_access.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import { defaultFileName } from "#src/pbs/format/archive_name.ts";
import type { CatalogDirectory } from "#src/pbs/format/catalog.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { type ArchiveSurvey, surveyArchive } from "../pxar/archive_survey.ts";

/**
 * As {@link surveyArchive}. Where contents lie between metadata, all of it would have to be loaded:
 * there the catalog tells which entries are links, only these are looked up, and nobody looks for
 * ACLs.
 */
export function surveySnapshotArchive(snapshot: SnapshotReader, archive: string): ArchiveSurvey {
  const top = hasCatalog(snapshot)
    ? openCatalog(snapshot).find([defaultFileName(archive)])
    : undefined;
  if (top?.kind === "directory") {
    return { linkCounts: countByCatalog(snapshot, archive, top), mayHaveAcls: true };
  }
  using streams = openArchiveStreams(snapshot, archive);
  return surveyArchive({ name: archive, source: streamOf(streams.source) });
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
