/**
 * A random access source read in order.
 *
 * @module
 */

import { readSound } from "#src/io/sound_read.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SequentialSource } from "#src/io/streams.ts";

const BUFFER_SIZE = 128 * 1024;

/** Reads a source from its beginning; passing over costs nothing. */
export class SourceCursor implements SequentialSource {
  readonly #source: ByteSource;
  readonly #buffer: NativeBuffer;
  #offset = 0;

  constructor(source: ByteSource, allocate: (size: number) => NativeBuffer) {
    this.#source = source;
    this.#buffer = allocate(BUFFER_SIZE);
  }

  /** See {@link SequentialSource.read}. */
  read(target: Uint8Array): number {
    const size = Math.min(target.length, BUFFER_SIZE, this.#source.size - this.#offset);
    if (size <= 0) return 0;
    const read = (part: number) => this.#source.readAt(this.#buffer, 0, part, this.#offset);
    const count = readSound(read, size);
    target.set(this.#buffer.bytes.subarray(0, count));
    this.#offset += count;
    return count;
  }

  /** See {@link SequentialSource.goTo}. */
  goTo(offset: number): void {
    this.#offset = offset;
  }

  /** See {@link SequentialSource.skip}. */
  skip(size: number): number {
    const count = Math.max(0, Math.min(size, this.#source.size - this.#offset));
    this.#offset += count;
    return count;
  }
}
