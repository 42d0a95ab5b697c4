/**
 * The bytes of a file that may change while it is read, or that cannot be read everywhere: as many
 * as its size was, whatever happens.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { Errno } from "#ffi/libc/calls.ts";
import type { PxarContent } from "../new_entry.ts";
import { isOwnFailure } from "./failures.ts";
import type { DataExtent, SourceFile } from "./source.ts";

/** Below this, looking for holes costs more than reading zeros. */
const SPARSE_SIZE_MIN = 128 << 10;
/** How often a long file is heard of. */
const PROGRESS_STEP = 32 << 20;
/** Unit of `st_blocks`. */
const BLOCK_SIZE = 512;
/**
 * What is passed over where a file cannot be read: the kernel reads pages. Further failures in a
 * row pass over four times as much each.
 */
const PAGE_SIZE = 4096;
const PASSED_GROWTH = 4;
/** So many reads may fail in a file, each of which may take half a minute. */
const FAILURE_COUNT_MAX = 8;

/** What could not be read of a file. */
export interface ReadFailure {
  /** Of the first read that failed. */
  readonly errno: number;
  readonly offset: number;
  /** Bytes passed over, which are zeros in the archive. */
  readonly lostBytes: number;
}

/** Content of one file after the other; bytes that are missing are zeros. */
export class FileContentReader implements PxarContent {
  readonly #onProgress: (position: number) => void;
  #nextProgress = PROGRESS_STEP;
  readonly #extent: DataExtent = { start: 0, end: 0 };
  readonly #probe = new Uint8Array(2);
  #file: SourceFile | undefined;
  #position = 0;
  #size = 0;
  #path = "";
  #hasHoles = false;
  #isShort = false;
  #failure: { errno: number; offset: number; lostBytes: number } | undefined;
  #failureCount = 0;
  /** What the next failure passes over. */
  #passedSize = PAGE_SIZE;
  /** Where the range ends that is passed over. */
  #passedEnd = 0;

  /** @param onProgress is called with the position now and then in long files */
  constructor(onProgress: (position: number) => void) {
    this.#onProgress = onProgress;
  }

  /** Begins a file of `size` bytes, of which `blocks` × 512 are stored. */
  start(file: SourceFile, size: number, blocks: number, path: string): this {
    this.#file = file;
    this.#size = size;
    this.#position = 0;
    this.#nextProgress = PROGRESS_STEP;
    this.#path = path;
    this.#hasHoles = size >= SPARSE_SIZE_MIN && blocks * BLOCK_SIZE < size;
    this.#extent.start = this.#extent.end = 0;
    this.#isShort = false;
    this.#failure = undefined;
    this.#failureCount = 0;
    this.#passedSize = PAGE_SIZE;
    this.#passedEnd = 0;
    return this;
  }

  /** See {@link PxarContent.fd}. */
  get fd(): number | undefined {
    return this.#file?.fd;
  }

  /** Whether something could not be read so far. */
  get isIncomplete(): boolean {
    return this.#failure !== undefined;
  }

  /** What could not be read so far. */
  get failure(): ReadFailure | undefined {
    return this.#failure;
  }

  /** See {@link PxarContent.onCopied}. */
  onCopied(offset: number): void {
    this.#position = offset;
    this.#onProgress(offset);
  }

  /**
   * See {@link PxarContent.readAt}. @throws {OsError} when that fails through no fault of the file
   */
  readAt(target: Uint8Array, offset: number): number {
    this.#position = offset;
    if (this.#position >= this.#nextProgress) {
      this.#nextProgress = this.#position + PROGRESS_STEP;
      this.#onProgress(this.#position);
    }
    if (this.#isShort) return this.#zeros(target, target.length);
    if (this.#position < this.#passedEnd) {
      return this.#zeros(target, Math.min(target.length, this.#passedEnd - this.#position));
    }
    if (this.#hasHoles && this.#position >= this.#extent.end) {
      this.#hasHoles = this.#file!.findData?.(this.#position, this.#extent) ?? false;
    }
    if (this.#hasHoles && this.#position < this.#extent.start) {
      return this.#zeros(target, Math.min(target.length, this.#extent.start - this.#position));
    }
    const count = this.#file!.read(target, this.#position);
    if (count < 0) {
      this.#passOver(count);
      return this.readAt(target, this.#position);
    }
    if (count === 0) {
      this.#isShort = true;
      return this.#zeros(target, target.length);
    }
    this.#position += count;
    this.#passedSize = PAGE_SIZE;
    return count;
  }

  /**
   * How the file has changed since it was opened. To be asked when all has been read, here or by a
   * sink that copies.
   */
  change(): "shrunk" | "grown" | undefined {
    if (this.#isShort) return "shrunk";
    if (this.#failure !== undefined) return undefined;
    const start = Math.max(this.#size - 1, 0);
    const count = this.#file!.read(this.#probe, start);
    if (count < 0) return undefined;
    const end = start + count;
    if (end > this.#size) return "grown";
    // A copy by the kernel may have met the new end, a complete read has not.
    return end < this.#size && this.#position < this.#size ? "shrunk" : undefined;
  }

  /**
   * A read has failed. A bad sector says nothing of what is behind it; everything else is taken for
   * the end of the file, and so are many failures.
   */
  #passOver(result: number): void {
    if (isOwnFailure(result)) throw new OsError(-result, "read", this.#path);
    const start = this.#position;
    const isLast = result !== -Errno.EIO || ++this.#failureCount === FAILURE_COUNT_MAX;
    const end = isLast ? this.#size : start - start % PAGE_SIZE + this.#passedSize;
    this.#passedEnd = Math.min(end, this.#size);
    this.#passedSize *= PASSED_GROWTH;
    this.#failure ??= { errno: -result, offset: start, lostBytes: 0 };
    this.#failure.lostBytes += this.#passedEnd - start;
  }

  #zeros(target: Uint8Array, count: number): number {
    target.fill(0, 0, count);
    this.#position += count;
    return count;
  }
}
