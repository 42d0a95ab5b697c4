/**
 * New files and standard output as sinks, written by the runtime's own calls, for runs without FFI.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { callRuntime } from "./runtime_call.ts";
import type { Sink } from "../streams.ts";

/** A new file. */
export class PlainFileSink implements Sink {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #position = 0;
  #isOpen = true;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates a file.
   *
   * @param mode permissions before the umask is applied
   * @throws {OsError} EEXIST when the name is taken, by whatever
   */
  static create(path: string, mode = 0o640): PlainFileSink {
    const file = callRuntime(
      "create",
      path,
      () => Deno.openSync(path, { write: true, createNew: true, mode }),
    );
    return new PlainFileSink(path, file);
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#file, bytes, this.#path);
    this.#position += bytes.length;
  }

  /** Completes the file. @throws {OsError} EBADF when it was finished or given up before */
  finish(): void {
    if (!this.#isOpen) throw new OsError(Errno.EBADF, "finish", this.#path);
    this.#close();
  }

  /** Removes the file, unless it is finished. */
  abort(): void {
    if (!this.#isOpen) return;
    this.#close();
    callRuntime("remove", this.#path, () => Deno.removeSync(this.#path));
  }

  #close(): void {
    this.#isOpen = false;
    this.#file.close();
  }
}

/** Standard output as a sink. */
export function openPlainOutput(): Sink {
  return { write: (bytes) => writeAll(Deno.stdout, bytes, "standard output") };
}

function writeAll(
  target: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
  path: string,
): void {
  let done = 0;
  while (done < bytes.length) {
    done += callRuntime("write", path, () => target.writeSync(bytes.subarray(done)));
  }
}
