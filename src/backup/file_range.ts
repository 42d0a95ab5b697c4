/**
 * Parts of files of a snapshot, without restoring them.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";

/** A part of a file in an archive. */
export interface FileRange {
  /** Name of the archive, `root.pxar`. */
  readonly archive: string;
  /** Path in the archive. */
  readonly path: string;
  readonly offset: number;
  /** Up to the end of the file unless given. */
  readonly length?: number;
}

/**
 * Reads a part of a file; only the chunks that hold it are loaded. The pieces are views of one buffer: each is valid until the next one.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when there is no regular file at the path
 */
export function readFileRange(snapshot: SnapshotReader, range: FileRange): Iterable<Uint8Array> {
  throw new StateError("not-found", `${snapshot} ${range}`);
}

/** SHA-256 of a file's content. @throws what {@link readFileRange} throws */
export function digestOfFile(
  snapshot: SnapshotReader,
  archive: string,
  path: string,
): Uint8Array {
  throw new StateError("not-found", `${snapshot} ${archive} ${path}`);
}
