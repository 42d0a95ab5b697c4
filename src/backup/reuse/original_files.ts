/**
 * Files of a tree whose contents lie in a snapshot of the same store already: those of its own
 * archive, or of one that the tree was put together from.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { NewFile } from "#src/pxar/new_entry.ts";
import type { UnchangedFiles } from "./unchanged_files.ts";

/** Where the contents of files of one origin lie. */
export interface PayloadOrigin {
  /** The origin of the nodes. */
  readonly origin: object;
  /** A snapshot of the store that is written to, with the same key; it is not closed here. */
  readonly snapshot: SnapshotReader;
  /** Its index with the contents. */
  readonly index: string;
  /** The name that a chunk of these bytes would have. */
  digestOf(bytes: Uint8Array): ChunkDigest;
}

/** Files by their identity. Nothing is compared: what has the origin is what was stored. */
export class OriginalFiles implements UnchangedFiles {
  readonly #origin: object;

  constructor(origin: object) {
    this.#origin = origin;
  }

  enter(): void {}

  leave(): void {}

  find(_name: string, { origin, payload, size }: NewFile): number {
    return origin === this.#origin && payload?.size === size ? payload.offset - HEADER_SIZE : -1;
  }
}
