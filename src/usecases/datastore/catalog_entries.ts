/**
 * The names of everything in the archives of a snapshot: by its catalog, or by the metadata of
 * split archives, which have none.
 *
 * @module
 */

import { openArchiveStreams } from "#src/backup/archive_access.ts";
import { hasCatalog, openCatalog } from "#src/backup/catalog_access.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import { CATALOG_TYPES, type CatalogEntry } from "#src/pbs/format/catalog.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { PxarDecoder, type PxarEntryEvent } from "#src/pxar/decoder.ts";
import { FileType, type Timestamp } from "#src/tree/node.ts";

/** An entry of any archive of a snapshot. */
export interface CatalogLine {
  readonly kind: CatalogEntry["kind"];
  /** `d`, `f`, `l`, … */
  readonly letter: string;
  /** File of the snapshot that the archive is, then the names on the way. */
  readonly names: readonly string[];
  /** Of files: bytes, and seconds since 1970. */
  readonly size?: number | undefined;
  readonly mtime?: number | undefined;
}

const METADATA_FILE = /\.mpxar\.didx$/u;

/** Everything, each directory before what is in it. @throws {FormatError} */
export function* namedEntries(snapshot: SnapshotReader): Generator<CatalogLine> {
  if (hasCatalog(snapshot)) {
    for (const [names, entry] of openCatalog(snapshot).walk()) {
      yield named(entry.kind, names, entry.kind === "file" ? entry : undefined);
    }
  }
  for (const { filename } of snapshot.manifest.files) {
    if (METADATA_FILE.test(filename)) yield* metadataEntries(snapshot, filename);
  }
}

function* metadataEntries(snapshot: SnapshotReader, file: string): Generator<CatalogLine> {
  using streams = openArchiveStreams(snapshot, file);
  const decoder = new PxarDecoder(streamOf(streams.source), { name: file });
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry") continue;
    const names = event.path === "/" ? [file] : [file, ...event.path.slice(1).split("/")];
    yield entryOfEvent(event, names);
  }
}

function entryOfEvent({ entry }: PxarEntryEvent, names: readonly string[]): CatalogLine {
  switch (entry.kind) {
    case "file":
      return named("file", names, {
        size: entry.payload.size,
        mtime: wholeSeconds(entry.metadata.mtime),
      });
    case "device": {
      const isBlock = (entry.metadata.mode & FileType.MASK) === FileType.BLOCK_DEVICE;
      return named(isBlock ? "block-device" : "char-device", names);
    }
    default:
      return named(entry.kind, names);
  }
}

/**
 * Towards 1970, as the real client prints times of split archives; in catalogs they are as stat(2)
 * has them.
 */
function wholeSeconds({ seconds, nanoseconds }: Timestamp): number {
  return seconds < 0 && nanoseconds > 0 ? seconds + 1 : seconds;
}

function named(
  kind: CatalogEntry["kind"],
  names: readonly string[],
  file?: { readonly size: number; readonly mtime: number },
): CatalogLine {
  const letter = String.fromCharCode(CATALOG_TYPES[kind]);
  return {
    kind,
    letter,
    names,
    size: file?.size,
    mtime: file?.mtime,
  };
}
