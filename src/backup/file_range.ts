/**
 * Parts of files of a snapshot, without restoring them.
 *
 * @module
 */

import type { SnapshotReader } from "#src/pbs/ports.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { digestFile, readPieces, requireFile } from "#src/transfer/content.ts";
import { openArchive } from "./archive_access.ts";

/** A part of a file in an archive. */
export interface FileRange {
  /** Name of the archive, `root.pxar`. */
  readonly archive: string;
  /** Path in the archive. */
  readonly path: string;
  /** Default: 0. */
  readonly offset?: number;
  /** Up to the end of the file unless given. */
  readonly length?: number;
}

/**
 * Reads a part of a file; only the chunks that hold it are loaded. The pieces are views of one
 * buffer: each is valid until the next one.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when there is no regular file at the path, or offset and length are no range
 * @throws {IntegrityError | FormatError | OsError} when a chunk is damaged or cannot be read
 */
export function* readFileRange(
  snapshot: SnapshotReader,
  range: FileRange,
): Generator<Uint8Array, void, undefined> {
  using archive = openArchive(snapshot, range.archive);
  const file = requireFile(pxarTree(archive.accessor), range.path);
  const offset = range.offset ?? 0;
  yield* readPieces(file, offset, range.length ?? Math.max(0, file.attributes.size - offset));
}

/** SHA-256 of a file's content, without restoring it. @throws what {@link readFileRange} throws */
export function digestOfFile(snapshot: SnapshotReader, archive: string, path: string): Uint8Array {
  using open = openArchive(snapshot, archive);
  return digestFile(requireFile(pxarTree(open.accessor), path));
}
