/**
 * Writes contents to files by descriptor. Needs FFI.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { EntryContent } from "./extract_target.ts";
import { BlockBuffer } from "./holes.ts";

/**
 * Smaller writes cost a tenth more CPU time. With 2 MiB and more the page cache takes pages that
 * are too large for the CPU's caches, and writing takes three times as long.
 */
const BUFFER_SIZE = 512 << 10;

/** Smaller files gain nothing when their space is reserved before. */
const RESERVE_SIZE_MIN = 1 << 20;
/** Space reserved at once: what may have to be given back for holes. */
const RESERVE_STEP = 32 << 20;

/** Writes one content at a time. */
export class ContentWriter {
  readonly #buffer = host.allocateNativeBuffer(BUFFER_SIZE);
  readonly #blocks = new BlockBuffer(this.#buffer);
  /** Whether space is reserved for the file at hand: as long as it has no holes. */
  #reserves = false;
  /** Offset up to which there is space. */
  #reservedEnd = 0;
  /** Offset behind the last data written: the size of the file so far. */
  #dataEnd = 0;

  /**
   * Writes `content` to the empty file `fd`, leaving out blocks of zeros.
   *
   * @throws {OsError} when writing fails
   */
  write(fd: number, content: EntryContent, path: string): void {
    this.#reserves = content.size >= RESERVE_SIZE_MIN;
    this.#reservedEnd = 0;
    this.#dataEnd = 0;
    try {
      this.#writeBlocks(fd, content, path);
    } catch (error) {
      this.#endReserving(fd);
      throw error;
    }
    if (this.#dataEnd === content.size) return;
    host.unwrap(host.ftruncate(fd, content.size), "set size of", path);
  }

  #writeBlocks(fd: number, content: EntryContent, path: string): void {
    const { size } = content;
    for (let offset = 0; offset < size;) {
      const length = Math.min(BUFFER_SIZE, size - offset);
      this.#blocks.fill(content, length);
      let position = this.#blocks.nextData(0);
      if (position > 0) this.#endReserving(fd);
      while (position < length) {
        const end = this.#blocks.nextHole(position);
        this.#reserve(fd, offset + position, size);
        this.#writeRun(fd, position, end, offset + position, path);
        this.#dataEnd = offset + end;
        position = this.#blocks.nextData(end);
        if (position > end) this.#endReserving(fd);
      }
      offset += length;
    }
  }

  /**
   * Blocks that are allocated in one go are written a fifth faster. What cannot be reserved is
   * allocated by writing.
   */
  #reserve(fd: number, start: number, size: number): void {
    if (!this.#reserves || start < this.#reservedEnd) return;
    const length = Math.min(RESERVE_STEP, size - start);
    const isDone = host.fallocate(fd, host.Fallocate.KEEP_SIZE, start, length) >= 0;
    if (isDone) this.#reservedEnd = start + length;
    else this.#reserves = false;
  }

  /** Gives back what was reserved behind the data. */
  #endReserving(fd: number): void {
    if (!this.#reserves) return;
    this.#reserves = false;
    // Setting the size, even to what it is, frees the blocks behind it. Failing, it would only
    // waste them.
    if (this.#reservedEnd > this.#dataEnd) host.ftruncate(fd, this.#dataEnd);
  }

  #writeRun(fd: number, start: number, end: number, offset: number, path: string): void {
    const address = this.#buffer.address + BigInt(start);
    let done = 0;
    while (start + done < end) {
      const count = host.pwriteFully(fd, address + BigInt(done), end - start - done, offset + done);
      // A short count hides its reason; the next call fails with it.
      done += host.unwrap(count, "write", path);
    }
  }
}
