/**
 * Images to back up: regular files and block devices.
 *
 * @module
 */

import { IntegrityError, OsError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { preadInto } from "#ffi/libc/metadata.ts";
import type { IndexedStream } from "#src/pbs/ports.ts";
import { FileType } from "#src/tree/node.ts";
import { type FileToBackUp, openFileToBackUp } from "./open_source.ts";

const { Seek, Errno } = host;

const PIECE_SIZE = 1 << 20;
/** What reading a bad sector gives. */
const UNREADABLE = -Errno.EIO;
/** What is copied between two reports. */
const COPY_SIZE = 32 << 20;
/**
 * What is passed over where nothing can be read: the kernel reads pages; further failures in a row
 * pass over four times as much each.
 */
const PAGE_SIZE = 4096;
const ZEROS = new Uint8Array(PIECE_SIZE);
/** Ranges that are named; of the others only their number and size are. */
const NAMED_MAX = 100;

/** An open image. Its size does not change, whatever happens to the file. */
export class ImageSource implements Disposable {
  readonly size: number;
  readonly #fd: number;
  readonly #path: string;
  readonly #hasHoles: boolean;
  #passedSize = PAGE_SIZE;

  private constructor(fd: number, path: string, size: number, hasHoles: boolean) {
    this.#fd = fd;
    this.#path = path;
    this.size = size;
    this.#hasHoles = hasHoles;
  }

  /**
   * Opens an image.
   *
   * @throws {UsageError} when it is neither a regular file nor a block device, or empty
   * @throws {OsError} when it cannot be opened
   */
  static open(path: string): ImageSource {
    const { FILE, BLOCK_DEVICE } = FileType;
    return ImageSource.#of(
      openFileToBackUp(path, [FILE, BLOCK_DEVICE], "file or block device"),
      path,
    );
  }

  /** Opens what came through a stream. @param path of the stream @throws {OsError} */
  static openSpool(spool: { readonly fd: number }, path: string): ImageSource {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(spool.fd, stat), "stat", path);
    return ImageSource.#of({ fd: host.unwrap(host.dup(spool.fd), "open", path), stat }, path);
  }

  static #of({ fd, stat }: FileToBackUp, path: string): ImageSource {
    try {
      const size = host.unwrap(host.lseek(fd, 0, Seek.END), "seek in", path);
      if (size === 0) throw new UsageError(`Cannot back up "${path}": got zero-sized file`);
      return new ImageSource(fd, path, size, stat.blocks * 512 < size);
    } catch (error) {
      host.close(fd);
      throw error;
    }
  }

  /**
   * Writes the whole image. Holes are not read; what cannot be read, as a bad sector, becomes
   * zeros.
   *
   * @param onContent is called with the position now and then
   * @param onUnreadable is called with each range that became zeros
   * @throws {OsError} when the image cannot be read
   * @throws {IntegrityError} when it has become shorter
   */
  writeTo(
    stream: IndexedStream,
    onContent: (position: number) => void,
    onUnreadable: (offset: number, size: number) => void,
  ): void {
    for (let position = 0; position < this.size;) {
      const data = this.#hasHoles ? this.#nextData(position) : position;
      const hole = Math.min(data - position, COPY_SIZE);
      if (hole > 0) {
        this.#writeZeros(stream, hole);
        position += hole;
      } else {
        const end = this.#hasHoles ? this.#nextHole(position) : this.size;
        position += this.#copy(stream, position, Math.min(end - position, COPY_SIZE), onUnreadable);
      }
      onContent(position);
    }
  }

  /** Closes the image. */
  [Symbol.dispose](): void {
    host.close(this.#fd);
  }

  #nextData(position: number): number {
    const found = host.lseek(this.#fd, position, Seek.DATA);
    if (found >= 0) return Math.min(found, this.size);
    return found === -Errno.ENXIO ? this.size : position;
  }

  #nextHole(position: number): number {
    const found = host.lseek(this.#fd, position, Seek.HOLE);
    return found > position ? Math.min(found, this.size) : this.size;
  }

  #writeZeros(stream: IndexedStream, size: number): void {
    for (let left = size; left > 0; left -= PIECE_SIZE) {
      stream.write(left < PIECE_SIZE ? ZEROS.subarray(0, left) : ZEROS);
    }
  }

  #copy(
    stream: IndexedStream,
    offset: number,
    size: number,
    onUnreadable: (offset: number, size: number) => void,
  ): number {
    const taken = stream.copyFrom(this.#fd, offset, size);
    const count = taken > 0 ? taken : this.#read(stream, offset, size);
    if (count !== UNREADABLE) {
      if (count > 0) this.#passedSize = PAGE_SIZE;
      return count;
    }
    const passed = Math.min(size, this.#passedSize - offset % PAGE_SIZE);
    this.#passedSize = Math.min(4 * this.#passedSize, PIECE_SIZE);
    this.#writeZeros(stream, passed);
    onUnreadable(offset, passed);
    return passed;
  }

  #read(stream: IndexedStream, offset: number, size: number): number {
    const buffer = new Uint8Array(Math.min(PIECE_SIZE, size));
    const count = preadInto(this.#fd, buffer, offset);
    if (count === -Errno.EINTR) return 0;
    if (count === UNREADABLE) return UNREADABLE;
    if (count < 0) throw new OsError(-count, "read", this.#path);
    if (count === 0) {
      throw new IntegrityError(`Cannot read "${this.#path}": it has become shorter`, {
        code: "length",
        path: this.#path,
      });
    }
    stream.write(buffer.subarray(0, count));
    return count;
  }
}

/**
 * The ranges of an image that cannot be read, in ascending order, as they are told of: neighbours
 * as one, and not more than somebody reads.
 */
export class UnreadableRanges {
  readonly #tell: (message: string) => void;
  #offset = 0;
  #size = 0;
  #count = 0;
  #furtherBytes = 0;

  constructor(tell: (message: string) => void) {
    this.#tell = tell;
  }

  /** Ranges so far, of which the last one may still grow. */
  get count(): number {
    return this.#count;
  }

  /** Adds a range, which is told of when it is known to have ended. */
  add(offset: number, size: number): void {
    if (this.#size > 0 && offset === this.#offset + this.#size) {
      this.#size += size;
      return;
    }
    this.#endRange();
    this.#count++;
    this.#offset = offset;
    this.#size = size;
  }

  /** Tells of what is left. */
  finish(): void {
    this.#endRange();
    const further = this.#count - NAMED_MAX;
    if (further <= 0) return;
    const ranges = further === 1 ? "1 more range" : `${further} more ranges`;
    this.#tell(`and ${ranges} of ${this.#furtherBytes} bytes in all, zeros in their place`);
  }

  #endRange(): void {
    if (this.#size === 0) return;
    const [offset, size] = [this.#offset, this.#size];
    this.#size = 0;
    if (this.#count > NAMED_MAX) this.#furtherBytes += size;
    else this.#tell(`Cannot read ${size} bytes at offset ${offset}: EIO, zeros in their place`);
  }
}
