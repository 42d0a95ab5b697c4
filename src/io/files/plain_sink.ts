/**
 * New files and standard output as sinks, written by the runtime's own calls, for runs without FFI.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { type FileSink, type FileSinkOptions, NEW_FILE_MODE, type Sink } from "../streams.ts";
import { callRuntime } from "./runtime_call.ts";
import { directoryOf, temporaryPathFor } from "./whole_file.ts";

/** A new file. */
export class PlainFileSink implements FileSink {
  readonly #path: string;
  /** The name while the file is written. */
  readonly #firstPath: string;
  readonly #isDurable: boolean;
  readonly #file: Deno.FsFile;
  #position = 0;
  #isOpen = true;

  private constructor(path: string, options: FileSinkOptions) {
    const { mode = NEW_FILE_MODE, isDurable = false, isReplacing = false } = options;
    this.#path = path;
    this.#isDurable = isDurable;
    this.#firstPath = isReplacing ? temporaryPathFor(path) : path;
    this.#file = callRuntime(
      "create",
      path,
      () => Deno.openSync(this.#firstPath, { write: true, createNew: true, mode }),
    );
  }

  /**
   * Creates a file.
   *
   * @throws {OsError} EEXIST when the name is taken, by whatever, and nothing is to be replaced
   */
  static create(path: string, options: FileSinkOptions = {}): PlainFileSink {
    return new PlainFileSink(path, options);
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
    if (this.#isDurable) callRuntime("sync", this.#path, () => this.#file.syncSync());
    if (this.#firstPath !== this.#path) {
      callRuntime("rename", this.#path, () => Deno.renameSync(this.#firstPath, this.#path));
    }
    this.#close();
    if (this.#isDurable) callRuntime("sync", this.#path, () => syncDirectory(this.#path));
  }

  /** Removes the file, unless it is finished. */
  abort(): void {
    if (!this.#isOpen) return;
    this.#close();
    callRuntime("remove", this.#path, () => Deno.removeSync(this.#firstPath));
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

/** Makes the name of a file durable. */
function syncDirectory(path: string): void {
  using directory = Deno.openSync(directoryOf(path));
  directory.syncSync();
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
