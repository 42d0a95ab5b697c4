/**
 * Content that is put aside because it comes only once, and in order: a file without a name, which
 * goes with its descriptor, whatever becomes of the process.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { environmentVariable } from "#ffi/libc/local_time.ts";
import { OPEN_TMPFILE } from "#ffi/libc/metadata.ts";
import { LimitError, OsError } from "#src/errors.ts";

/** Of what is free on the disk, so much may be taken. */
const SPACE_SHARE = 0.8;

/** See the head of the module. Disposing of it frees the space, unless a duplicate is open. */
export class Spool implements Disposable {
  readonly fd: number;
  readonly #directory: string;
  readonly #what: string;
  readonly #sizeMax: number;
  #sizeBytes = 0;

  /**
   * Makes an empty one in `TMPDIR`, else in `/tmp`.
   *
   * @param what is put into it, for messages
   * @throws {OsError}
   */
  constructor(what: string) {
    const directory = environmentVariable("TMPDIR") || "/tmp";
    const flags = OPEN_TMPFILE | host.OpenFlag.RDWR;
    this.fd = host.unwrap(host.open(directory, flags, 0o600), "make a file in", directory);
    this.#directory = directory;
    this.#what = what;
    const space = host.statvfs(this.fd);
    if (typeof space === "number") {
      host.close(this.fd);
      throw new OsError(-space, "look at", directory);
    }
    this.#sizeMax = Math.floor(space.blocksAvailable * space.blockSizeBytes * SPACE_SHARE);
  }

  /** Bytes that are in it. */
  get position(): number {
    return this.#sizeBytes;
  }

  /** Appends. @throws {LimitError} when it takes too much of the disk @throws {OsError} */
  write(bytes: Uint8Array): void {
    if (this.#sizeBytes + bytes.length > this.#sizeMax) {
      throw new LimitError(
        `${this.#what} is larger than ${this.#sizeMax} bytes, which are four fifths of what is ` +
          `free in "${this.#directory}"`,
        { hint: "Let TMPDIR name a directory with more space" },
      );
    }
    const buffer = host.nativeBufferOf(bytes as Uint8Array<ArrayBuffer>);
    const result = host.pwriteFully(this.fd, buffer.address, bytes.length, this.#sizeBytes);
    host.unwrap(result, "write", this.#directory);
    this.#sizeBytes += bytes.length;
  }

  [Symbol.dispose](): void {
    host.close(this.fd);
  }
}
