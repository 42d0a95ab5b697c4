/**
 * Files and standard input read in order by the runtime's own calls, for runs without FFI.
 *
 * @module
 */

import { callRuntime } from "./runtime_call.ts";
import type { ClosableSource } from "../streams.ts";

/** What is passed over in a stream that cannot seek is read in parts of this size. */
const DISCARD_SIZE = 1 << 17;

/** Opens a file, FIFO or device for reading in order. @throws {OsError} */
export function openPlainStream(path: string): ClosableSource {
  const file = callRuntime("open", path, () => Deno.openSync(path));
  const stat = callRuntime("stat", path, () => file.statSync());
  return stat.isFile ? new FileSource(path, file, stat.size) : new StreamSource(path, file);
}

/** Standard input. */
export function standardInputSource(): ClosableSource {
  return new StreamSource("standard input", Deno.stdin);
}

/** What cannot be seeked in. */
class StreamSource implements ClosableSource {
  readonly size = undefined;
  readonly #path: string;
  readonly #file: Pick<Deno.FsFile, "readSync" | "close">;
  #discarded: Uint8Array | undefined;
  #isClosed = false;

  constructor(path: string, file: Pick<Deno.FsFile, "readSync" | "close">) {
    this.#path = path;
    this.#file = file;
  }

  read(target: Uint8Array): number {
    return callRuntime("read", this.#path, () => this.#file.readSync(target)) ?? 0;
  }

  skip(size: number): number {
    this.#discarded ??= new Uint8Array(DISCARD_SIZE);
    let done = 0;
    while (done < size) {
      const count = this.read(this.#discarded.subarray(0, Math.min(DISCARD_SIZE, size - done)));
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }
}

/** A regular file. */
class FileSource implements ClosableSource {
  readonly size: number;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #position = 0;
  #isClosed = false;

  constructor(path: string, file: Deno.FsFile, size: number) {
    this.#path = path;
    this.#file = file;
    this.size = size;
  }

  read(target: Uint8Array): number {
    const count = callRuntime("read", this.#path, () => this.#file.readSync(target)) ?? 0;
    this.#position += count;
    return count;
  }

  skip(size: number): number {
    const count = Math.max(0, Math.min(size, this.size - this.#position));
    callRuntime(
      "seek",
      this.#path,
      () => this.#file.seekSync(BigInt(count), Deno.SeekMode.Current),
    );
    this.#position += count;
    return count;
  }

  goTo(offset: number): void {
    callRuntime("seek", this.#path, () => this.#file.seekSync(offset, Deno.SeekMode.Start));
    this.#position = offset;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }
}
