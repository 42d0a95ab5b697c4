/**
 * Bytes in order: what encoders write to and sequential decoders read from. Synchronous, like
 * everything that may run inside of a FUSE worker.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";

const PART_SIZE = 1 << 16;

/** Receives bytes in order. Every byte given is written, or an exception is thrown. */
export interface Sink {
  /** The bytes may be reused by the caller afterwards. */
  write(bytes: Uint8Array): void;
  /**
   * Takes `size` bytes at `offset` of an open host file, where that is cheaper than to hand them
   * over (the kernel can copy them).
   *
   * @returns how many bytes were taken, which may be fewer than `size`; 0 when the file has none
   *   there, or this sink cannot do it
   */
  copyFrom?(fd: number, offset: number, size: number): number;
}

/** A file that is being written. It is complete, with its name, or nothing is left of it. */
export interface FileSink extends Sink {
  /** Completes the file and gives it its name. @throws {OsError} */
  finish(): void;
  /** Gives the file up, unless it is finished. */
  abort(): void;
}

/** How a new file is made. */
export interface FileSinkOptions {
  /** Permissions before the umask is applied. Default: 0640. */
  readonly mode?: number | undefined;
  /** Whether `finish` waits until the file is on stable storage. Default: false. */
  readonly isDurable?: boolean | undefined;
  /**
   * Whether what has the name already is replaced, in one step at the end. Default: false; then it
   * is an error.
   */
  readonly isReplacing?: boolean | undefined;
}

/** Permissions of a new file, unless told. */
export const NEW_FILE_MODE = 0o640;

/** Gives bytes in order. */
export interface SequentialSource {
  /** Reads up to `target.length` bytes. @returns the count, 0 at the end */
  read(target: Uint8Array): number;
  /**
   * Passes over bytes without reading them, where the source can. @returns how many; fewer only at
   * the end
   */
  skip(size: number): number;
  /** Goes to another place, from which the next bytes are read. Only there where the source can. */
  goTo?(offset: number): void;
}

/** A stream that must be closed. */
export interface ClosableSource extends SequentialSource {
  /** Length of a regular file when it was opened; undefined for what else can be read. */
  readonly size: number | undefined;
  /** Closes the file; other ends of a pipe see that. */
  close(): void;
}

/**
 * Reads to the end and closes.
 *
 * @param name what is read, for messages
 * @throws {LimitError} when there are more than `sizeMax` bytes
 */
export function readToEnd(source: ClosableSource, name: string, sizeMax: number): Uint8Array {
  try {
    let bytes = new Uint8Array(PART_SIZE);
    let length = 0;
    while (true) {
      const count = source.read(bytes.subarray(length));
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length > sizeMax) {
        throw new LimitError(`Cannot read "${name}": more than ${sizeMax} bytes`);
      }
      if (length < bytes.length) continue;
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
  } finally {
    source.close();
  }
}
