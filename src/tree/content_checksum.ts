/**
 * The checksum that a backup has of a whole file, compared by whoever reads the file.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import { IntegrityError } from "#src/errors.ts";
import type { FileNode, StoredChecksum } from "./node.ts";

/** The checksum of a content that is read from its beginning to its end. */
export class ContentChecksum {
  #value = 0;
  /** How far it was read without a gap. */
  #offset = 0;
  readonly #size: number;
  readonly #expected: StoredChecksum;

  private constructor(size: number, expected: StoredChecksum) {
    this.#size = size;
    this.#expected = expected;
  }

  /** Undefined where the tree tells none, or compares by itself. */
  static of({ attributes, storedChecksum }: FileNode): ContentChecksum | undefined {
    return storedChecksum && new ContentChecksum(attributes.size, storedChecksum);
  }

  /**
   * Takes bytes of the file, and compares when they are the last ones. Who reads in another order,
   * or not all, compares nothing.
   *
   * @param offset in the file
   * @param start of them in `bytes`
   * @throws {IntegrityError} that names the stored file and its backup
   */
  add(bytes: Uint8Array, offset: number, count: number = bytes.length, start = 0): void {
    if (offset !== this.#offset) return;
    this.#value = crc32c(bytes, start, start + count, this.#value);
    this.#offset += count;
    const { crc32c: expected, path, backupId } = this.#expected;
    if (this.#offset < this.#size || this.#value === expected) return;
    throw new IntegrityError(
      `Cannot use stored file: CRC is ${this.#value}, the file list says ${expected}`,
      { path, backupId },
    );
  }
}
