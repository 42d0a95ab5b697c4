/**
 * Open files of a backup.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { checkRead } from "#src/io/byte_source.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import type { FileContent } from "#src/tree/node.ts";
import { PAGE_SIZE } from "./format/page_stream.ts";
import { type DataFile, isAligned, type PageStore } from "./page_store.ts";
import { openStored, readStored, type StoredFile } from "./stored_file.ts";

/**
 * A data file: pages of a chain put together. Any offset and size; whole pages go straight to the
 * target.
 */
export class DataFileContent implements FileContent {
  readonly #store: PageStore;
  readonly #file: DataFile;

  constructor(store: PageStore, file: DataFile) {
    this.#store = store;
    this.#file = file;
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const length = clip(target, start, size, offset, this.#file.blockCount * PAGE_SIZE);
    let done = 0;
    while (done < length) {
      const block = Math.floor((offset + done) / PAGE_SIZE);
      const within = offset + done - block * PAGE_SIZE;
      const pages = Math.floor((length - done) / PAGE_SIZE);
      if (within === 0 && pages > 0 && isAligned(target, start + done)) {
        this.#store.readPages(this.#file, block, block + pages, target, start + done);
        done += pages * PAGE_SIZE;
      } else {
        const page = this.#store.readPage(this.#file, block);
        const count = Math.min(PAGE_SIZE - within, length - done);
        target.bytes.set(page.subarray(within, within + count), start + done);
        done += count;
      }
    }
    return done;
  }

  nextData(offset: number): number {
    return this.#next(offset, true);
  }

  nextHole(offset: number): number {
    return this.#next(offset, false);
  }

  #next(offset: number, isStored: boolean): number {
    const block = this.#store.nextBlock(this.#file, Math.floor(offset / PAGE_SIZE), isStored);
    return Math.max(offset, block * PAGE_SIZE);
  }

  close(): void {}
}

/** A file that is stored as a whole, perhaps without its tail of zeros. */
export class WholeFileContent implements FileContent {
  readonly #pool: SourcePool;
  readonly #stored: StoredFile & { readonly size: number };
  readonly #size: number;

  /**
   * @throws {IntegrityError} when the stored file is missing or has another length than its list
   *   says
   */
  constructor(pool: SourcePool, stored: StoredFile & { readonly size: number }, size: number) {
    this.#pool = pool;
    this.#stored = stored;
    this.#size = size;
    openStored(pool, stored);
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const length = clip(target, start, size, offset, this.#size);
    const storedLength = Math.max(0, Math.min(length, this.#stored.size - offset));
    if (storedLength > 0) {
      readStored(this.#pool, this.#stored, target, start, storedLength, offset);
    }
    target.bytes.fill(0, start + storedLength, start + length);
    return length;
  }

  nextData(offset: number): number {
    return offset < this.#stored.size ? offset : this.#size;
  }

  nextHole(offset: number): number {
    return Math.max(offset, this.#stored.size);
  }

  close(): void {}
}

/** A file without content. */
export const EMPTY_CONTENT: FileContent = {
  readInto: () => 0,
  close: () => {},
};

/** Bytes that a request gets of a file of `fileSize` bytes. */
function clip(
  target: NativeBuffer,
  start: number,
  size: number,
  offset: number,
  fileSize: number,
): number {
  checkRead(target, start, size, offset);
  return offset >= fileSize ? 0 : Math.min(size, fileSize - offset);
}
