/**
 * Tells what stands for something of the lower tree from what is new, by the diff's nonce.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { parseLinkReference } from "../link_reference.ts";
import {
  decodePartialHeader,
  HEADER_SIZE_MAX,
  isPartialFile,
  type PartialHeader,
  type PartialLayout,
} from "../partial_file.ts";

/** What the header of a partial file says. */
export type ReadHeader = PartialHeader & { readonly layout: PartialLayout };

/** The least size of a partial file: its header, padded. */
const PARTIAL_SIZE_MIN = 4096;

/** Reads headers for one thread. */
export class HeaderReader {
  readonly #nonce: Uint8Array;
  readonly #openSource: OpenSource;
  readonly #buffer = allocateNativeBuffer(HEADER_SIZE_MAX);

  /** @param nonce the diff's */
  constructor(nonce: Uint8Array, openSource: OpenSource) {
    this.#nonce = nonce;
    this.#openSource = openSource;
  }

  /**
   * The header of a file of the diff.
   *
   * @param size of the file
   * @returns undefined when it is no partial file
   * @throws {FormatError} when it is damaged
   * @throws {OsError}
   */
  read(path: string, size: number): ReadHeader | undefined {
    if (size < PARTIAL_SIZE_MIN) return undefined;
    const source = this.#openSource(path);
    try {
      const length = source.readAt(this.#buffer, 0, HEADER_SIZE_MAX, 0);
      const { bytes } = this.#buffer;
      if (!isPartialFile(bytes, length, this.#nonce)) return undefined;
      return decodePartialHeader(bytes, length, size, path);
    } finally {
      source.close();
    }
  }

  /** Path in the lower tree of the link that one with this text stands for. */
  referenceOf(text: string): string | undefined {
    return parseLinkReference(this.#nonce, text);
  }
}
