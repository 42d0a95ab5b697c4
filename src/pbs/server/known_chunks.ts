/**
 * The chunks that one session may use.
 *
 * @module
 */

import { type ChunkDigest, digestBytes } from "#src/bytes/chunk_digest.ts";
import { DigestTable, type DigestTableParts } from "#src/bytes/digest_table.ts";
import { LimitError } from "#src/errors.ts";

/** About 70 bytes each: 16 TiB in chunks of the usual size. */
const COUNT_MAX = 4 << 20;

/** Sizes of chunks by digest. Indexes come from store threads as tables, and are not copied. */
export class KnownChunks {
  readonly #added = new DigestTable(Infinity);
  /** By the name of their index, so that to ask twice costs nothing. */
  readonly #indexes = new Map<string, DigestTable>();

  /** Whether the chunks of an index are known. */
  hasIndex(name: string): boolean {
    return this.#indexes.has(name);
  }

  /** Makes the chunks of an index known. @throws {LimitError} */
  addIndex(name: string, parts: DigestTableParts): void {
    this.#checkCount(parts.count);
    this.#indexes.set(name, DigestTable.of(parts));
  }

  /** Makes one chunk known. @param size plain bytes, more than 0 @throws {LimitError} */
  add(digest: ChunkDigest, size: number): void {
    this.#checkCount(1);
    this.#added.set(digestBytes(digest), 0, size);
  }

  /** Plain bytes of a chunk; 0 when it is not known. */
  sizeOf(digest: ChunkDigest): number {
    const bytes = digestBytes(digest);
    let size = this.#added.get(bytes, 0);
    for (const table of this.#indexes.values()) {
      if (size !== 0) break;
      size = table.get(bytes, 0);
    }
    return size;
  }

  #checkCount(more: number): void {
    let count = this.#added.count + more;
    for (const table of this.#indexes.values()) count += table.count;
    if (count <= COUNT_MAX) return;
    throw new LimitError(`Cannot use more than ${COUNT_MAX} chunks in one session`);
  }
}
