/**
 * The bytes of a file that may change while it is read: as many as its size was, whatever happens.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import type { PxarContent } from "../encoder.ts";
import type { BuildSource, DataExtent } from "./source.ts";

/** Below this, looking for holes costs more than reading zeros. */
const SPARSE_SIZE_MIN = 128 << 10;
/** How often a long file is heard of. */
const PROGRESS_STEP = 32 << 20;
/** Unit of `st_blocks`. */
const BLOCK_SIZE = 512;

/** Content of one file after the other; bytes that are missing are zeros. */
export class FileContentReader implements PxarContent {
  readonly #source: BuildSource;
  readonly #onProgress: (position: number) => void;
  #nextProgress = PROGRESS_STEP;
  readonly #extent: DataExtent = { start: 0, end: 0 };
  readonly #probe = new Uint8Array(2);
  #fd = -1;
  #position = 0;
  #size = 0;
  #path = "";
  #hasHoles = false;
  #isShort = false;

  /** @param onProgress is called with the position now and then in long files */
  constructor(source: BuildSource, onProgress: (position: number) => void) {
    this.#source = source;
    this.#onProgress = onProgress;
  }

  /** Begins a file of `size` bytes, of which `blocks` × 512 are stored. */
  open(fd: number, size: number, blocks: number, path: string): void {
    this.#fd = fd;
    this.#size = size;
    this.#position = 0;
    this.#nextProgress = PROGRESS_STEP;
    this.#path = path;
    this.#hasHoles = size >= SPARSE_SIZE_MIN && blocks * BLOCK_SIZE < size;
    this.#extent.start = this.#extent.end = 0;
    this.#isShort = false;
  }

  /** Continues at `position`. @returns this content */
  from(position: number): this {
    this.#position = position;
    return this;
  }

  /** Reads on. @throws {OsError} when the file cannot be read */
  read(target: Uint8Array): number {
    if (this.#position >= this.#nextProgress) {
      this.#nextProgress = this.#position + PROGRESS_STEP;
      this.#onProgress(this.#position);
    }
    if (this.#isShort) return this.#zeros(target, target.length);
    if (this.#hasHoles && this.#position >= this.#extent.end) {
      this.#hasHoles = this.#source.findData(this.#fd, this.#position, this.#extent);
    }
    if (this.#hasHoles && this.#position < this.#extent.start) {
      return this.#zeros(target, Math.min(target.length, this.#extent.start - this.#position));
    }
    const count = this.#source.read(this.#fd, target, this.#position);
    if (count < 0) throw new OsError(-count, "read", this.#path);
    if (count === 0) {
      this.#isShort = true;
      return this.#zeros(target, target.length);
    }
    this.#position += count;
    return count;
  }

  /** How the file has changed since it was opened. To be asked when all has been read, here or by a sink that copies. */
  change(): "shrunk" | "grown" | undefined {
    if (this.#isShort) return "shrunk";
    const start = Math.max(this.#size - 1, 0);
    const end = start + this.#source.read(this.#fd, this.#probe, start);
    if (end > this.#size) return "grown";
    // A copy by the kernel may have met the new end, a complete read has not.
    return end < this.#size && this.#position < this.#size ? "shrunk" : undefined;
  }

  #zeros(target: Uint8Array, count: number): number {
    target.fill(0, 0, count);
    this.#position += count;
    return count;
  }
}
