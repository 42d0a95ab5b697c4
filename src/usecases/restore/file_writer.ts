/**
 * Writes files of a tree, whole ones and pieces of large ones. One for each thread.
 *
 * @module
 */

import { IntegrityError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { ContentChecksum } from "#src/tree/content_checksum.ts";
import { type FileContent, type FileNode, FileType, seekContent } from "#src/tree/node.ts";
import type { NodeMetadata } from "./node_metadata.ts";
import type { WriteCounts, WriteTask } from "./restore_queue.ts";

const { Errno, OpenFlag } = host;

/** As much as the processor's cache holds beside the stored bytes. */
const BUFFER_SIZE = 512 << 10;

/** What is compared and written as one when files that are there are kept. */
export const COMPARED_SIZE = 8192;

/** Nobody else may look at a file before its owner and mode are restored. */
const NEW_FILE_MODE = 0o600;

/** Answers of copy_file_range(2) that say: not between these two files. */
const NOT_COPIED: ReadonlySet<number> = new Set([
  -Errno.EXDEV,
  -Errno.EINVAL,
  -Errno.EOPNOTSUPP,
  -Errno.ENOSYS,
  -Errno.EPERM,
]);

/** How files are written. */
export interface FileWriterOptions {
  /** Compare contents with the checksums that the source has of them. */
  readonly isValidating: boolean;
  /** Files that are there are kept, and get what differs. */
  readonly isIncremental: boolean;
}

/** See the head of the module. */
export class FileWriter {
  readonly #options: FileWriterOptions;
  readonly #metadata: NodeMetadata;
  readonly #buffer = host.allocateNativeBuffer(BUFFER_SIZE);
  #present: host.AllocatedBuffer | undefined;

  constructor(metadata: NodeMetadata, options: FileWriterOptions) {
    this.#metadata = metadata;
    this.#options = options;
  }

  /**
   * Does a task.
   *
   * @throws {OsError} when the target cannot be written
   * @throws {Failure} when the source is damaged
   */
  write(node: FileNode, task: WriteTask, counts: WriteCounts): void {
    const { path, isPiece } = task;
    const isKept = this.#options.isIncremental;
    const truncate = isKept || isPiece ? 0 : OpenFlag.TRUNC;
    const flags = (isKept ? OpenFlag.RDWR : OpenFlag.WRONLY) | OpenFlag.CREAT | truncate |
      OpenFlag.NOFOLLOW;
    const fd = host.unwrap(host.open(path, flags, this.#metadata.newFileMode(node)), "open", path);
    try {
      if (!task.isEmptied) this.#writeContent(fd, node, task, counts);
      else if (isKept) setSize(fd, 0, path);
      if (!isPiece) this.#metadata.restoreFile(fd, node, path, counts);
    } finally {
      host.close(fd);
    }
  }

  #writeContent(fd: number, node: FileNode, task: WriteTask, counts: WriteCounts): void {
    if (task.length === 0) {
      if (this.#options.isIncremental) setSize(fd, 0, task.path);
      return;
    }
    // Each of the pieces would read all of it.
    if (this.#options.isValidating && task.offset === 0) node.checkStored?.();
    const content = node.open();
    try {
      if (this.#options.isIncremental) this.#replaceDifferent(fd, node, content, task, counts);
      else this.#copy(fd, node, content, task, counts);
    } finally {
      content.close();
    }
  }

  /** Into a new file. */
  #copy(
    fd: number,
    node: FileNode,
    content: FileContent,
    task: WriteTask,
    counts: WriteCounts,
  ): void {
    const checksum = this.#checksumOf(node);
    const isCopied = checksum === undefined && node.plainPath !== undefined &&
      this.#copyPlain(fd, node.plainPath, task);
    if (!isCopied) this.#copyRead(fd, node, content, task, checksum);
    counts.written += task.length;
  }

  /** Undefined where there is nothing to compare, or nobody wants it. */
  #checksumOf(node: FileNode): ContentChecksum | undefined {
    return this.#options.isValidating ? ContentChecksum.of(node) : undefined;
  }

  /** Reads what is data, leaves holes where it knows of zeros. */
  #copyRead(
    fd: number,
    node: FileNode,
    content: FileContent,
    { path, offset, length, isPiece }: WriteTask,
    checksum: ContentChecksum | undefined,
  ): void {
    const { size } = node.attributes;
    const end = offset + length;
    let dataEnd = offset;
    for (let position = offset; position < end;) {
      const start = seekContent(content, position, size, false);
      if (start >= end) break;
      const runEnd = Math.min(seekContent(content, start, size, true), end);
      for (position = start; position < runEnd;) {
        const wanted = Math.min(BUFFER_SIZE, runEnd - position);
        const count = content.readInto(this.#buffer, 0, wanted, position);
        if (count < wanted) throw endsEarly(node, path, position + count);
        checksum?.add(this.#buffer.bytes, position, count);
        this.#writeAt(fd, 0, count, position, path);
        position += count;
      }
      dataEnd = position;
    }
    if (!isPiece && dataEnd < end) host.unwrap(host.ftruncate(fd, end), "set size of", path);
  }

  /** Has the kernel copy, or share, the bytes. @returns false where it does not */
  #copyPlain(fd: number, plainPath: string, { path, offset, length }: WriteTask): boolean {
    const source = host.unwrap(host.open(plainPath, OpenFlag.RDONLY), "open", plainPath);
    try {
      for (let done = 0; done < length;) {
        const at = offset + done;
        const count = host.copyFileRange(source, at, fd, at, length - done);
        if (done === 0 && (NOT_COPIED.has(count) || count === 0)) return false;
        host.unwrap(count, "write", path);
        if (count === 0) {
          throw new IntegrityError(`Cannot copy: the file ends after ${at} bytes`, {
            path: plainPath,
          });
        }
        done += count;
      }
      return true;
    } finally {
      host.close(source);
    }
  }

  /** Over a file that is there. */
  #replaceDifferent(
    fd: number,
    node: FileNode,
    content: FileContent,
    { path, offset, length, isPiece }: WriteTask,
    counts: WriteCounts,
  ): void {
    const present = this.#present ??= host.allocateNativeBuffer(BUFFER_SIZE);
    const checksum = this.#checksumOf(node);
    const end = offset + length;
    for (let position = offset; position < end;) {
      const wanted = Math.min(BUFFER_SIZE, end - position);
      const count = content.readInto(this.#buffer, 0, wanted, position);
      if (count < wanted) throw endsEarly(node, path, position + count);
      checksum?.add(this.#buffer.bytes, position, count);
      const there = host.preadFully(fd, present.address, count, position);
      const thereCount = host.unwrap(there, "read", path);
      forDifferentRuns(this.#buffer.bytes, present.bytes, count, thereCount, (start, runEnd) => {
        this.#writeAt(fd, start, runEnd - start, position + start, path);
        counts.written += runEnd - start;
        counts.unchanged -= runEnd - start;
      });
      counts.unchanged += count;
      position += count;
    }
    if (!isPiece) setSize(fd, end, path);
  }

  #writeAt(fd: number, start: number, size: number, offset: number, path: string): void {
    const address = this.#buffer.address + BigInt(start);
    for (let done = 0; done < size;) {
      const count = host.pwriteFully(fd, address + BigInt(done), size - done, offset + done);
      // A short count hides its reason; the next call fails with it.
      done += host.unwrap(count, "write", path);
    }
  }
}

/**
 * Makes sure that an existing file of several pieces has its size, or makes it: the pieces are
 * written by several threads.
 *
 * @throws {OsError}
 */
export function createWithSize(path: string, size: number, isKept: boolean): void {
  const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.NOFOLLOW |
    (isKept ? 0 : OpenFlag.TRUNC);
  const fd = host.unwrap(host.open(path, flags, NEW_FILE_MODE), "create", path);
  try {
    setSize(fd, size, path);
  } finally {
    host.close(fd);
  }
}

/** A file that has the size keeps its time of change. */
function setSize(fd: number, size: number, path: string): void {
  host.unwrap(host.statFd(fd, stat), "stat", path);
  if (stat.size !== size) host.unwrap(host.ftruncate(fd, size), "set size of", path);
}

const stat = new host.HostStat();

/** Whether a name in a target can be written as a file that is nobody else's. @throws {OsError} */
export function isOwnFile(path: string): boolean | undefined {
  const result = host.lstat(path, stat);
  if (result === -Errno.ENOENT) return undefined;
  host.unwrap(result, "stat", path);
  return (stat.mode & FileType.MASK) === FileType.FILE && stat.nlink === 1;
}

/**
 * Calls `visit` for each run of blocks that are not the same in both.
 *
 * @param size bytes of `wanted`
 * @param presentSize bytes of `present`; what is behind them differs
 */
function forDifferentRuns(
  wanted: Uint8Array<ArrayBuffer>,
  present: Uint8Array<ArrayBuffer>,
  size: number,
  presentSize: number,
  visit: (start: number, end: number) => void,
): void {
  let runStart = -1;
  for (let start = 0; start < size; start += COMPARED_SIZE) {
    const end = Math.min(start + COMPARED_SIZE, size);
    const isSame = end <= presentSize && isSameRange(wanted, present, start, end);
    if (!isSame && runStart < 0) runStart = start;
    if (isSame && runStart >= 0) {
      visit(runStart, start);
      runStart = -1;
    }
  }
  if (runStart >= 0) visit(runStart, size);
}

function isSameRange(
  a: Uint8Array<ArrayBuffer>,
  b: Uint8Array<ArrayBuffer>,
  start: number,
  end: number,
): boolean {
  // Both buffers begin at a multiple of eight, as does every block in them.
  const words = (end - start) >> 3;
  const wordsA = new BigUint64Array(a.buffer, a.byteOffset + start, words);
  const wordsB = new BigUint64Array(b.buffer, b.byteOffset + start, words);
  for (let index = 0; index < words; index++) {
    if (wordsA[index] !== wordsB[index]) return false;
  }
  for (let index = start + words * 8; index < end; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}

function endsEarly(node: FileNode, path: string, offset: number): IntegrityError {
  return new IntegrityError(
    `Cannot restore "${path}": its content ends after ${offset} of ${node.attributes.size} bytes`,
    { path: node.plainPath },
  );
}
