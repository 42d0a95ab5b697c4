/**
 * Files of a tree whose contents lie in a snapshot of the same store already: those of its own
 * archive, or of one that the tree was put together from.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { FormerContent, NewFile } from "#src/pxar/new_entry.ts";
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

/**
 * Files by their identity, their own or that of what they were. Nothing is compared: what has the
 * origin is what was stored.
 */
export class OriginalFiles implements UnchangedFiles {
  readonly #origin: object;

  constructor(origin: object) {
    this.#origin = origin;
  }

  enter(): void {}

  leave(): void {}

  find(_name: string, { origin, payload, size, former }: NewFile): number {
    if (origin === this.#origin && payload?.size === size) return payload.offset - HEADER_SIZE;
    // One that was changed in other things than its content, or is called otherwise.
    if (former?.origin !== this.#origin || !isWhole(former, size)) return -1;
    return former.payload.offset - HEADER_SIZE;
  }
}

/** Whether a file of that size is known to have nothing but what it was. */
function isWhole({ payload, ranges }: FormerContent, size: number): boolean {
  if (payload.size !== size) return false;
  let end = 0;
  for (const range of ranges()) {
    if (range.offset !== end) return false;
    end += range.size;
  }
  return end === size;
}
