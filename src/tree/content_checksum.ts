/**
 * The checksum that a backup has of a whole file, compared by whoever reads the file.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import { IntegrityError } from "#src/errors.ts";
import type { FileNode } from "./node.ts";

/** The checksum of a content that is read from its beginning to its end. */
export class ContentChecksum {
  #value = 0;
  readonly #node: FileNode;
  readonly #expected: number;

  private constructor(node: FileNode, expected: number) {
    this.#node = node;
    this.#expected = expected;
  }

  /** Undefined where the tree tells none, or compares by itself. */
  static of(node: FileNode): ContentChecksum | undefined {
    return node.crc32c === undefined ? undefined : new ContentChecksum(node, node.crc32c);
  }

  /** Takes the next bytes. */
  add(bytes: Uint8Array, count: number = bytes.length): void {
    this.#value = crc32c(bytes, 0, count, this.#value);
  }

  /** @param path of the file in its tree, or where it goes @throws {IntegrityError} */
  check(path: string): void {
    if (this.#value === this.#expected) return;
    throw new IntegrityError(
      `Content of "${path}" is damaged: its CRC is ${this.#value}, the file list says ` +
        `${this.#expected}`,
      { path: this.#node.plainPath },
    );
  }
}
