/**
 * What the encoder writes through: small pieces are gathered, so that thousands of files cost few
 * system calls.
 *
 * @module
 */

import { IntegrityError, UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";

/** Where a file's bytes come from. */
export interface PxarContent {
  /** Reads the next bytes, up to `target.length`. @returns the count, 0 at the end */
  read(target: Uint8Array): number;
  /**
   * Whether something else is in the place of bytes that cannot be had: asked when all has been
   * read.
   */
  readonly isIncomplete?: boolean;
}

/** Larger than any item that is written in one piece, and than most files. */
const BUFFER_SIZE = 512 * 1024;

/** Below this it is cheaper to copy bytes than to hand them over on their own. */
const GATHERED_SIZE_MAX = 64 * 1024;

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
    let left = size;
    while (left > 0) {
      if (BUFFER_SIZE - this.#length < Math.min(left, GATHERED_SIZE_MAX)) this.flush();
      const room = this.bytes.subarray(
        this.#length,
        Math.min(BUFFER_SIZE, this.#length + left),
      );
      const count = content.read(room);
      if (count === 0) {
        throw new IntegrityError(`Cannot store file: ${left} of ${size} bytes are missing`);
      }
      if (!(count > 0 && count <= room.length)) {
        throw new UsageError(`Cannot store file: a read returned ${count} of ${room.length}`);
      }
      this.#length += count;
      left -= count;
    }
  }

  /** Lets the sink take bytes of a host file, as many as it does. @returns the count */
  copyFrom(fd: number, offset: number, size: number): number {
    if (this.#sink.copyFrom === undefined || size === 0) return 0;
    this.flush();
    let done = 0;
    while (done < size) {
      const count = this.#sink.copyFrom(fd, offset + done, size - done);
      if (count === 0) break;
      done += count;
      this.#flushed += count;
    }
    return done;
  }

  /** Whether a content of that size is better gathered than copied by the sink. */
  isGathered(size: number): boolean {
    return size <= GATHERED_SIZE_MAX;
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
