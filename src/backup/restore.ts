/**
 * Archives, images and blobs of a snapshot, restored.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { Sink } from "#src/io/streams.ts";
import { formatManifest, MANIFEST_NAME } from "#src/pbs/format/manifest.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { extractArchive, type ExtractArchiveOptions } from "#src/pxar/extractor/extract_archive.ts";
import type { ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import type { ExtractReport } from "#src/pxar/extractor/report.ts";
import { notOfKind, openArchive, openArchiveStreams, requireFiles } from "./archive_access.ts";
import { knownEntriesOf } from "./catalog_access.ts";
import { streamOf } from "./source_stream.ts";

const PIECE_SIZE = 1 << 20;

/**
 * Extracts the archive `name` of a directory, in the order of its entries, and closes the target.
 * Chunks of a split archive that hold nothing of what the patterns select are not loaded.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is no archive of a directory
 * @throws what {@link extractArchive} throws, and reading chunks
 *
 * @example
 * ```ts ignore
 * const report = restoreArchive(snapshot, "root.pxar", DescriptorTarget.open("/srv/restored"));
 * ```
 */
export function restoreArchive(
  snapshot: SnapshotReader,
  name: string,
  target: ExtractTarget,
  options: ExtractArchiveOptions = {},
): ExtractReport {
  using opened = new DisposableStack();
  const { source, payload } = opened.use(openArchiveStreams(snapshot, name));
  const decoder = new PxarDecoder(streamOf(source), {
    name,
    payload: payload && streamOf(payload),
  });
  const knownEntries = knownEntriesOf(snapshot, name);
  return extractArchive(decoder, target, {
    openAccessor: () => opened.use(openArchive(snapshot, name)).accessor,
    knownEntries,
    openTables: () => opened.use(openArchiveStreams(snapshot, name)).source,
    ...options,
  });
}

/** Hears of the bytes that are restored. */
export type OnRestored = (doneBytes: number, allBytes: number) => void;

/**
 * Hands a stored content over as it was given: an image, a blob (also `index.json` and
 * `client.log`), the catalog, the stream of an archive that is not split. @returns its length
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} for a split archive, which is no single stream
 */
export function restoreStream(
  snapshot: SnapshotReader,
  name: string,
  sink: Sink,
  onRestored: OnRestored = () => {},
): number {
  const found = requireFiles(snapshot, name);
  if (found.kind === "blob") {
    const content = found.file === MANIFEST_NAME
      ? formatManifest(snapshot.manifest)
      : snapshot.blob(found.file);
    sink.write(content);
    return content.length;
  }
  if (found.kind === "split-pxar") throw notOfKind(name, "one stream");
  const source = snapshot.openArchive(found.index);
  try {
    copy(source, sink, onRestored);
    return source.size;
  } finally {
    source.close();
  }
}

function copy(source: ByteSource, sink: Sink, onRestored: OnRestored): void {
  const buffer = plainBuffer(Math.min(PIECE_SIZE, source.size));
  for (let position = 0; position < source.size;) {
    const count = source.readAt(buffer, 0, buffer.bytes.length, position);
    sink.write(buffer.bytes.subarray(0, count));
    position += count;
    onRestored(position, source.size);
  }
}
