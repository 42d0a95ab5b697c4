/**
 * Files and standard input read in order by the runtime's own calls, for runs without FFI.
 *
 * @module
 */

import { translating } from "./fs_file_source.ts";
import type { SequentialSource } from "./streams.ts";

/** Small reads are served from a buffer of this size. */
const BUFFER_SIZE = 1 << 17;
const STANDARD_INPUT = "standard input";

/** A stream that must be closed. */
export interface ClosableSource extends SequentialSource {
  close(): void;
}

/** Opens a file, FIFO or device for reading in order. @throws {OsError} */
export function openFsStreamSource(path: string): ClosableSource {
  const file = translating("open", path, () => Deno.openSync(path));
  const stat = translating("stat", path, () => file.statSync());
  return new FsStreamSource(path, file, stat.isFile ? stat.size : undefined);
}

/** Standard input. */
export function standardInputSource(): ClosableSource {
  return new FsStreamSource(STANDARD_INPUT, Deno.stdin, undefined);
}

type Reader = Pick<Deno.FsFile, "readSync" | "close"> & Partial<Pick<Deno.FsFile, "seekSync">>;

class FsStreamSource implements ClosableSource {
  readonly #path: string;
  readonly #file: Reader;
  /** Known for regular files: these can be skipped in. */
  readonly #size: number | undefined;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #start = 0;
  #end = 0;
  /** Position in the file of the buffer's end. */
  #position = 0;

  constructor(path: string, file: Reader, size: number | undefined) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  read(target: Uint8Array): number {
    if (this.#start === this.#end) {
      if (target.length >= BUFFER_SIZE) return this.#readFile(target);
      this.#start = 0;
      this.#end = this.#readFile(this.#buffer);
    }
    const count = Math.min(target.length, this.#end - this.#start);
    target.set(this.#buffer.subarray(this.#start, this.#start + count));
    this.#start += count;
    return count;
  }

  skip(size: number): number {
    const buffered = Math.min(size, this.#end - this.#start);
    this.#start += buffered;
    const rest = size - buffered;
    if (rest === 0) return size;
    return buffered + (this.#size === undefined ? this.#discard(rest) : this.#seek(rest));
  }

  close(): void {
    this.#file.close();
  }

  #readFile(target: Uint8Array): number {
    const count = translating("read", this.#path, () => this.#file.readSync(target)) ?? 0;
    this.#position += count;
    return count;
  }

  #seek(size: number): number {
    const count = Math.max(0, Math.min(size, this.#size! - this.#position));
    translating(
      "seek",
      this.#path,
      () => this.#file.seekSync!(BigInt(count), Deno.SeekMode.Current),
    );
    this.#position += count;
    return count;
  }

  #discard(size: number): number {
    let done = 0;
    while (done < size) {
      const part = this.#buffer.subarray(0, Math.min(BUFFER_SIZE, size - done));
      const count = this.#readFile(part);
      if (count === 0) break;
      done += count;
    }
    this.#start = this.#end = 0;
    return done;
  }
}
