/**
 * Blocks of zeros in contents: they are not written, so that sparse files become sparse again.
 *
 * @module
 */

import nodeBuffer from "node:buffer";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { EntryContent } from "./extract_target.ts";

/**
 * Zeros are looked for in whole blocks of this many bytes, counted from the beginning of the file.
 */
export const HOLE_BLOCK_SIZE = 4096;

const WORDS_PER_BLOCK = HOLE_BLOCK_SIZE / 4;

/** A piece of content in blocks. What is behind its end in the last block is taken for zeros. */
export class BlockBuffer {
  readonly #buffer: NativeBuffer;
  readonly #compare = nodeBuffer.Buffer.compare;
  readonly #words: Int32Array;
  readonly #zeros: Uint8Array;
  #length = 0;
  /** Whether there is nothing but zeros. */
  #isEmpty = false;

  /** The buffer must have whole blocks, and be the whole of its ArrayBuffer. */
  constructor(buffer: NativeBuffer) {
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer.bytes.buffer);
    this.#zeros = new Uint8Array(buffer.bytes.length);
  }

  /** Reads the next `length` bytes of `content` to the beginning of the buffer. */
  fill(content: Pick<EntryContent, "read">, length: number): void {
    let filled = 0;
    while (filled < length) filled += content.read(this.#buffer, filled, length - filled);
    this.#length = length;
    const { bytes } = this.#buffer;
    const end = Math.ceil(length / HOLE_BLOCK_SIZE) * HOLE_BLOCK_SIZE;
    if (end > length) bytes.fill(0, length, end);
    // Large holes are found ten times faster than block by block.
    this.#isEmpty = length === bytes.length && this.#words[0] === 0 &&
      this.#compare(bytes, this.#zeros) === 0;
  }

  /**
   * Where the next block with data begins, from `start` (a block's beginning) on; the length if
   * there is none.
   */
  nextData(start: number): number {
    if (this.#isEmpty) return this.#length;
    let offset = start;
    while (offset < this.#length && this.#isZero(offset)) offset += HOLE_BLOCK_SIZE;
    return Math.min(offset, this.#length);
  }

  /** Where the next block of zeros begins; the length if there is none. */
  nextHole(start: number): number {
    let offset = start;
    while (offset < this.#length && !this.#isZero(offset)) offset += HOLE_BLOCK_SIZE;
    return Math.min(offset, this.#length);
  }

  #isZero(offset: number): boolean {
    const words = this.#words;
    const first = offset / 4;
    const end = first + WORDS_PER_BLOCK;
    let index = first;
    while (index < end && words[index] === 0) index++;
    return index === end;
  }
}
