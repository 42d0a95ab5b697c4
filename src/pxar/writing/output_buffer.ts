/**
 * What the encoder writes through: small pieces are gathered, so that thousands of files cost few
 * system calls.
 *
 * @module
 */

import { IntegrityError, UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import type { PxarContent } from "../new_entry.ts";

/** Larger than any item that is written in one piece, and than most files. */
const BUFFER_SIZE = 512 * 1024;

/** Below this it is cheaper to copy bytes than to hand them over on their own. */
const GATHERED_SIZE_MAX = 64 * 1024;

/**
 * From this size on the sink may copy a file itself, for which what is gathered has to be handed
 * over first.
 */
const COPIED_SIZE_MIN = 1 << 20;

/** Gathers bytes in front of a sink. */
export class OutputBuffer {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(BUFFER_SIZE);
  readonly view: DataView = new DataView(this.bytes.buffer);
  readonly #sink: Sink;
  #length = 0;
  /** Bytes that are no longer in the buffer. */
  #flushed = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Offset in the stream of the next byte. */
  get position(): number {
    return this.#flushed + this.#length;
  }

  /** Whether the sink has everything. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Makes room for an item of `size` bytes, which the caller fills in. @returns its index in
   * {@link bytes}
   */
  reserve(size: number): number {
    if (this.#length + size > BUFFER_SIZE) this.flush();
    const index = this.#length;
    this.#length += size;
    return index;
  }

  /** Appends bytes. */
  write(bytes: Uint8Array): void {
    if (bytes.length <= GATHERED_SIZE_MAX) {
      this.bytes.set(bytes, this.reserve(bytes.length));
      return;
    }
    this.flush();
    this.#sink.write(bytes);
    this.#flushed += bytes.length;
  }

  /** Appends exactly `size` bytes. @throws {IntegrityError} when there are fewer */
  writeContent(content: PxarContent, size: number): void {
    let done = this.#copy(content, size);
    while (done < size) {
      const left = size - done;
      if (BUFFER_SIZE - this.#length < Math.min(left, GATHERED_SIZE_MAX)) this.flush();
      const room = this.bytes.subarray(
        this.#length,
        Math.min(BUFFER_SIZE, this.#length + left),
      );
      const count = content.readAt(room, done);
      if (count === 0) {
        throw new IntegrityError(`Cannot store file: ${left} of ${size} bytes are missing`);
      }
      if (!(count > 0 && count <= room.length)) {
        throw new UsageError(`Cannot store file: a read returned ${count} of ${room.length}`);
      }
      this.#length += count;
      done += count;
    }
  }

  /** Lets the sink copy a large content, as far as it does. @returns how many bytes it took */
  #copy(content: PxarContent, size: number): number {
    const { fd } = content;
    const sink = this.#sink;
    if (fd === undefined || size < COPIED_SIZE_MIN || sink.copyFrom === undefined) return 0;
    this.flush();
    let done = 0;
    while (done < size) {
      const count = sink.copyFrom(fd, done, size - done);
      if (count === 0) break;
      done += count;
      this.#flushed += count;
      content.onCopied?.(done);
    }
    return done;
  }

  /** Counts bytes that reached the sink past this buffer, which must be empty. */
  advance(size: number): void {
    this.#flushed += size;
  }

  /** Hands everything to the sink. */
  flush(): void {
    if (this.#length === 0) return;
    this.#sink.write(this.bytes.subarray(0, this.#length));
    this.#flushed += this.#length;
    this.#length = 0;
  }
}
