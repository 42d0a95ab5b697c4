/**
 * Writes contents to files by descriptor. Needs FFI.
 *
 * @module
 */

import * as host from "#src/io/host.ts";
import type { EntryContent } from "./extract_target.ts";
import { BlockBuffer } from "./holes.ts";

/** Larger writes are slower: the page cache then takes larger pages, which are zeroed out of the CPU's caches. */
const BUFFER_SIZE = 128 << 10;

/** Writes one content at a time. */
export class ContentWriter {
  readonly #buffer = host.allocateNativeBuffer(BUFFER_SIZE);
  readonly #blocks = new BlockBuffer(this.#buffer);

  /**
   * Writes `content` to the empty file `fd`, leaving out blocks of zeros.
   *
   * @throws {OsError} when writing fails
   */
  write(fd: number, content: EntryContent, path: string): void {
    const { size } = content;
    let dataEnd = 0;
    for (let offset = 0; offset < size;) {
      const length = Math.min(BUFFER_SIZE, size - offset);
      this.#blocks.fill(content, length);
      let position = this.#blocks.nextData(0);
      while (position < length) {
        const end = this.#blocks.nextHole(position);
        this.#writeRun(fd, position, end, offset + position, path);
        dataEnd = offset + end;
        position = this.#blocks.nextData(end);
      }
      offset += length;
    }
    if (dataEnd < size) host.unwrap(host.ftruncate(fd, size), "set size of", path);
  }

  #writeRun(fd: number, start: number, end: number, offset: number, path: string): void {
    const address = this.#buffer.address + BigInt(start);
    let done = 0;
    while (start + done < end) {
      const count = host.pwriteFully(fd, address + BigInt(done), end - start - done, offset + done);
      // A short count hides its reason; the next call tells it.
      done += host.unwrap(count, "write", path);
    }
  }
}
