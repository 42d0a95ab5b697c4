/**
 * What change detection found.
 *
 * @module
 */

import { HEADER_SIZE } from "#src/pxar/format/item.ts";

/** Files of an archive by what was done with their contents. */
export interface ReuseStatistics {
  /** Regular files, hard links not counted. */
  readonly fileCount: number;
  /** Further names of files counted before. */
  readonly hardlinkCount: number;
  /** Files whose payload of the previous snapshot is used; their contents were not read. */
  readonly reusedFileCount: number;
  /** Content of the reused files in bytes. */
  readonly reusedBytes: number;
  /** Files whose contents were read. */
  readonly readFileCount: number;
  /** Content of the files that were read, in bytes. */
  readonly readBytes: number;
  /** Bytes of reused chunks that no file of this snapshot needs. */
  readonly paddingBytes: number;
  /** Entries of the payload index that were taken over. */
  readonly injectedChunkCount: number;
}

/** {@link ReuseStatistics} that grow. */
export class ReuseCounters implements ReuseStatistics {
  hardlinkCount = 0;
  reusedFileCount = 0;
  reusedBytes = 0;
  readFileCount = 0;
  readBytes = 0;
  injectedChunkCount = 0;
  #injectedBytes = 0;
  #referredBytes = 0;

  get fileCount(): number {
    return this.reusedFileCount + this.readFileCount;
  }

  get paddingBytes(): number {
    return this.#injectedBytes - this.#referredBytes;
  }

  /** Counts a file whose content is not read. */
  addReused(size: number): void {
    this.reusedFileCount++;
    this.reusedBytes += size;
    this.#referredBytes += size + HEADER_SIZE;
  }

  /** Counts a file whose content is read. */
  addRead(size: number): void {
    this.readFileCount++;
    this.readBytes += size;
  }

  /** Counts a file of which a part is read; chunks of the rest are counted apart. */
  addChanged(size: number, keptBytes: number): void {
    this.addRead(size - keptBytes);
    this.reusedBytes += keptBytes;
    this.#referredBytes += keptBytes;
  }

  /** Counts a chunk that is taken over. */
  addInjected(size: number): void {
    this.injectedChunkCount++;
    this.#injectedBytes += size;
  }
}
