/**
 * Which chunks the files of an archive are in.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { StateError } from "#src/errors.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";

/** A chunk that holds a part of a file. */
export interface FileChunk {
  /** Place in the index. */
  readonly index: number;
  readonly digest: ChunkDigest;
  /** Length of the chunk's plain data. */
  readonly chunkSize: number;
  /** Where the part begins in the chunk. */
  readonly chunkOffset: number;
  /** Where the part begins in the file. */
  readonly fileOffset: number;
  /** Length of the part; an empty file has none. */
  readonly size: number;
}

/** A regular file and its chunks. */
export interface FileChunks {
  /** Path in the archive. */
  readonly path: string;
  readonly size: number;
  /** File of the snapshot whose index the chunks are of. */
  readonly stream: string;
  readonly chunks: readonly FileChunk[];
}

/**
 * The chunks of the files at and below `path`, in the order of the archive. Contents are not loaded; hard links are left out.
 *
 * @throws {StateError} `not-found`
 */
export function mapChunks(
  snapshot: SnapshotReader,
  archive: string,
  path = "/",
): Iterable<FileChunks> {
  throw new StateError("not-found", `${snapshot} ${archive} ${path}`);
}
