/**
 * New files and standard output as sinks, written by system calls. Needs FFI.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import * as metadata from "#ffi/libc/metadata.ts";
import { type FileSink, type FileSinkOptions, NEW_FILE_MODE, type Sink } from "../streams.ts";
import { directoryOf, renameFile, syncDirectory, temporaryPathFor } from "./whole_file.ts";

/** Below this a copy by the kernel costs more than it saves. */
const COPY_SIZE_MIN = 1 << 20;
/** What one call copies at most: callers want to show progress. */
const COPY_SIZE_MAX = 64 << 20;
/** What is mapped at once. A multiple of every page size. */
const WINDOW_SIZE = 8 << 20;
/** `f_type` of ext4, where blocks that are reserved ahead make writing a fifth faster. */
const MAGIC_EXT4 = 0xef53;
/** Smaller files are not worth it. */
const RESERVED_SIZE_MIN = 4 << 20;
/** What is reserved ahead at most. */
const RESERVED_SIZE_MAX = 256 << 20;
/** Shorter holes are written as zeros. */
const HOLE_SIZE_MIN = 128 << 10;

/**
 * A new file. It gets its name when it is finished, where the file system can do that: a process
 * that ends before leaves nothing behind, and nobody sees half a file.
 */
export class NativeFileSink implements FileSink {
  readonly #path: string;
  /** The name before the file is complete, where another one is replaced. */
  readonly #temporaryPath: string | undefined;
  readonly #isDurable: boolean;
  /** Whether the file has its name already, because the file system knows no files without. */
  readonly #isNamed: boolean;
  #fd: number;
  #position = 0;
  /** Bytes that are no holes. */
  #stored = 0;
  /** Where the blocks end that are reserved; Infinity where nothing is reserved. */
  #reserved: number;
  /** Whether the bytes before the position are a hole that is not yet part of the file's length. */
  #endsInHole = false;

  private constructor(path: string, options: FileSinkOptions) {
    const { mode = NEW_FILE_MODE, isDurable = false, isReplacing = false } = options;
    this.#path = path;
    this.#isDurable = isDurable;
    this.#temporaryPath = isReplacing ? temporaryPathFor(path) : undefined;
    const { RDWR, CREAT, EXCL, NOFOLLOW } = host.OpenFlag;
    const nameless = host.open(directoryOf(path), RDWR | metadata.OPEN_TMPFILE, mode);
    this.#isNamed = nameless < 0;
    this.#fd = this.#isNamed
      ? host.unwrap(
        host.open(this.#firstPath, RDWR | CREAT | EXCL | NOFOLLOW, mode),
        "create",
        path,
      )
      : nameless;
    this.#reserved = metadata.getFileSystemMagic(this.#fd) === MAGIC_EXT4 ? 0 : Infinity;
  }

  /**
   * Creates a file.
   *
   * @throws {OsError} EEXIST when the name is taken, by whatever, and nothing is to be replaced
   */
  static create(path: string, options: FileSinkOptions = {}): NativeFileSink {
    const isReplacing = options.isReplacing ?? false;
    if (!isReplacing && host.lstat(path) === 0) {
      throw new OsError(host.Errno.EEXIST, "create", path);
    }
    return new NativeFileSink(path, options);
  }

  /** The name that the file gets first. */
  get #firstPath(): string {
    return this.#temporaryPath ?? this.#path;
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  write(bytes: Uint8Array): void {
    this.#leaveHole();
    this.#reserve(bytes.length);
    writeAll(this.#fd, bytes, this.#path);
    this.#position += bytes.length;
    this.#stored += bytes.length;
  }

  copyFrom(fd: number, offset: number, size: number): number {
    if (size < COPY_SIZE_MIN) return 0;
    // Mapped bytes between the end of the file and that of the page are zeros, not an error.
    const fileEnd = host.lseek(fd, 0, host.Seek.END);
    const end = Math.min(offset + Math.min(size, COPY_SIZE_MAX), fileEnd);
    if (end <= offset) return 0;
    const dataStart = nextData(fd, offset, fileEnd);
    if (dataStart - offset >= HOLE_SIZE_MIN) {
      // The length of a hole is no news of the copy: it may be as long as the rest of the file.
      const length = Math.min(dataStart, offset + size) - offset;
      this.#skip(length);
      return length;
    }
    const length = nextHole(fd, dataStart, end) - offset;
    this.#leaveHole();
    this.#reserve(length);
    const count = copyMapped(fd, offset, length, this.#fd);
    if (count < 0) host.unwrap(count, "write", this.#path);
    this.#position += count;
    this.#stored += count;
    return count;
  }

  /**
   * Completes the file and gives it its name.
   *
   * @throws {OsError} EEXIST when the name has been taken meanwhile; EBADF when it was finished or
   *   given up before
   */
  finish(): void {
    if (this.#fd < 0) throw new host.OsError(host.Errno.EBADF, "finish", this.#path);
    const hasSpare = this.#reserved > this.#position && this.#reserved !== Infinity;
    if (this.#endsInHole || hasSpare) {
      host.unwrap(host.ftruncate(this.#fd, this.#position), "write", this.#path);
    }
    if (this.#isDurable) host.unwrap(host.fsync(this.#fd), "sync", this.#path);
    if (!this.#isNamed) {
      const linked = host.linkFd(this.#fd, this.#firstPath);
      host.unwrap(linked, "create", this.#path);
    }
    this.#close();
    if (this.#temporaryPath !== undefined) {
      renameFile(this.#temporaryPath, this.#path, this.#isDurable);
    } else if (this.#isDurable) syncDirectory(directoryOf(this.#path));
  }

  /** Gives the file up, unless it is finished. */
  abort(): void {
    if (this.#fd < 0) return;
    if (this.#isNamed) host.unlink(this.#firstPath);
    this.#close();
  }

  /** Reserves blocks for `size` bytes to come, and for more the more there are already. */
  #reserve(size: number): void {
    const end = this.#position + size;
    if (end <= this.#reserved || this.#stored + size < RESERVED_SIZE_MIN) return;
    const start = Math.max(this.#reserved, this.#position);
    const length = Math.min(Math.max(end - start, this.#stored), RESERVED_SIZE_MAX);
    const result = host.fallocate(this.#fd, host.Fallocate.KEEP_SIZE, start, length);
    this.#reserved = result < 0 ? Infinity : start + length;
  }

  /** Leaves a hole. */
  #skip(length: number): void {
    const end = this.#position + length;
    if (this.#reserved > this.#position && this.#reserved !== Infinity) {
      const mode = host.Fallocate.KEEP_SIZE | host.Fallocate.PUNCH_HOLE;
      const size = Math.min(end, this.#reserved) - this.#position;
      host.fallocate(this.#fd, mode, this.#position, size);
    }
    this.#position = end;
    this.#endsInHole = true;
  }

  #leaveHole(): void {
    if (!this.#endsInHole) return;
    host.unwrap(host.lseek(this.#fd, this.#position, host.Seek.SET), "seek", this.#path);
    this.#endsInHole = false;
  }

  #close(): void {
    host.close(this.#fd);
    this.#fd = -1;
  }
}

/** An open descriptor that is not ours, such as standard output. Nothing is closed. */
export class DescriptorSink implements Sink {
  readonly #fd: number;
  readonly #name: string;

  /** `name` is what errors call the file, such as `standard output`. */
  constructor(fd: number, name: string) {
    this.#fd = fd;
    this.#name = name;
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#fd, bytes, this.#name);
  }

  copyFrom(fd: number, offset: number, size: number): number {
    if (size < COPY_SIZE_MIN) return 0;
    const count = metadata.sendFile(this.#fd, fd, offset, Math.min(size, COPY_SIZE_MAX));
    // EINVAL: neither a pipe nor anything else that the kernel can send a file to; a read that
    // fails is told by the next one.
    return Math.max(count, 0);
  }
}

/** Standard output as a sink. */
export function openNativeOutput(): DescriptorSink {
  return new DescriptorSink(1, "standard output");
}

function writeAll(fd: number, bytes: Uint8Array, path: string): void {
  let done = 0;
  while (done < bytes.length) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    const count = metadata.writeFrom(fd, rest as Uint8Array<ArrayBuffer>);
    if (count === -host.Errno.EINTR) continue;
    if (count === -host.Errno.EAGAIN) metadata.waitWritable(fd);
    else done += host.unwrap(count, "write", path);
  }
}

/** Where data begins at or behind `offset`; the end of the file when there is none left. */
function nextData(fd: number, offset: number, fileEnd: number): number {
  const start = host.lseek(fd, offset, host.Seek.DATA);
  if (start >= 0) return start;
  return start === -host.Errno.ENXIO ? Math.max(offset, fileEnd) : offset;
}

/** Where a hole worth skipping begins behind `offset`, `end` at most. */
function nextHole(fd: number, offset: number, end: number): number {
  let position = offset;
  while (position < end) {
    const start = host.lseek(fd, position, host.Seek.HOLE);
    if (start < 0 || start >= end) return end;
    position = nextData(fd, start, end);
    if (position - start >= HOLE_SIZE_MIN) return start;
  }
  return end;
}

/**
 * Writes bytes of one file to another from the page cache: mapped and written, they are copied
 * once.
 *
 * @returns the count, short where the file cannot be mapped or ends; a negative errno when nothing
 *   could be written
 */
function copyMapped(fd: number, offset: number, size: number, fdOut: number): number {
  let done = 0;
  while (done < size) {
    const start = offset + done;
    // Windows begin where pages do, whatever the first offset was.
    const windowStart = start - start % WINDOW_SIZE;
    const windowSize = Math.min(windowStart + WINDOW_SIZE, offset + size) - windowStart;
    const address = metadata.mapFile(fd, windowStart, windowSize);
    if (address === 0n) return done;
    let position = start - windowStart;
    let count = 0;
    while (position < windowSize) {
      count = host.write(fdOut, address + BigInt(position), BigInt(windowSize - position));
      if (count === -host.Errno.EINTR) continue;
      if (count <= 0) break;
      position += count;
    }
    metadata.unmapFile(address, windowSize);
    done = windowStart + position - offset;
    // The file has become shorter or cannot be read here: the reader that comes after finds out
    // which.
    if (count === -host.Errno.EFAULT || count === 0) return done;
    if (count < 0) return done > 0 ? done : count;
  }
  return done;
}
