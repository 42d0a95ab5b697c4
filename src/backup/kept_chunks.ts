/**
 * Chunks that are taken over into a snapshot from any other.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { StateError } from "#src/errors.ts";
import type { ChunkOrigin, SnapshotWriter } from "#src/pbs/ports.ts";

/** Sees to it that chunks are there and stay until a snapshot that needs them is finished. */
export class KeptChunks {
  readonly #writer: SnapshotWriter;

  constructor(writer: SnapshotWriter) {
    this.#writer = writer;
  }

  /** Keeps a chunk. @throws {StateError} `not-found` when it is missing */
  keep(digest: ChunkDigest, origin: ChunkOrigin): void {
    if (this.#writer.keepChunk(digest, origin)) return;
    throw new StateError("not-found", `Cannot take over chunk ${digest}: it is missing`, {
      hint: "A verification of the datastore tells which snapshots need it",
    });
  }
}
