/**
 * Whole copies that hydration makes of files which nobody has changed.
 *
 * Nobody waits for them. So, other than those that are made when a file is opened for writing
 * (`whole_copies.ts`), they are durable before they get their names, and need no mark. To make each
 * durable by itself would cost a small file many times what its bytes do; so the copies of several
 * files are written to the disk together, and then placed.
 *
 * A file may be open meanwhile, as long as it is not changed: what is read of it is the same before
 * and after.
 *
 * @module
 */

import type { AllocatedBuffer } from "#ffi/libc/calls.ts";
import * as host from "#ffi/libc/calls.ts";
import { OsError } from "#src/errors.ts";
import { type FileContent, type FileNode, seekContent } from "#src/tree/node.ts";
import type { OverlayContext } from "../context.ts";
import type { CopyUp } from "../copy_up.ts";
import { Flag } from "../node_flags.ts";
import type { OwnFiles } from "./own_files.ts";

/** What is copied in one go. */
const PIECE_SIZE = 256 << 10;

/** A batch is placed when it has so many files, or so many bytes. */
const BATCH_FILES_MAX = 256;
const BATCH_BYTES_MAX = 64 << 20;

/**
 * From so many files on the whole file system is synced, and not each of them: that costs a flush
 * of the disk each.
 */
const SYNCFS_FILES_MIN = 8;

/** A copy under a temporary name. */
interface Copy {
  readonly slot: number;
  readonly node: FileNode;
  readonly temporary: string;
  readonly fd: number;
  readonly bytes: number;
}

/** Copies files for one thread. */
export class DurableCopies {
  readonly #context: OverlayContext;
  readonly #copyUp: CopyUp;
  readonly #files: OwnFiles;
  readonly #forget: (slot: number) => void;
  readonly #buffer: AllocatedBuffer = host.allocateNativeBuffer(PIECE_SIZE);
  #batch: Copy[] = [];
  #batchBytes = 0;

  /** @param forget gives back a lookup that was taken for a file */
  constructor(
    context: OverlayContext,
    copyUp: CopyUp,
    files: OwnFiles,
    forget: (slot: number) => void,
  ) {
    this.#context = context;
    this.#copyUp = copyUp;
    this.#files = files;
    this.#forget = forget;
  }

  /** Whether the copies that were made are to be placed now. */
  get isFull(): boolean {
    return this.#batch.length >= BATCH_FILES_MAX || this.#batchBytes >= BATCH_BYTES_MAX;
  }

  /** Whether a file is only in the lower tree, and has a name. */
  isUntouched(slot: number): boolean {
    const touched = Flag.UPPER | Flag.DELETED | Flag.VOLATILE;
    return (this.#context.table.flags(slot) & touched) === 0;
  }

  /**
   * Copies a file, and yields the number of bytes after each piece. The lookup that the caller has
   * of it is given back, now or when it is placed.
   *
   * @throws {Failure} what reading it throws
   * @throws {OsError} when the disk does not take it; nothing is left of the copy then
   */
  *copy(slot: number, node: FileNode): Generator<number> {
    const temporary = this.#context.temporaryName();
    const fd = this.#files.make(temporary);
    let isKept = false;
    try {
      host.unwrap(fd, "make", temporary);
      const bytes = yield* this.#copyContent(slot, node, fd);
      if (bytes === undefined) return;
      host.unwrap(this.#copyUp.dressCopy(node, temporary, fd), "change", temporary);
      host.startWriting(fd);
      this.#batch.push({ slot, node, temporary, fd, bytes });
      this.#batchBytes += bytes;
      isKept = true;
    } finally {
      if (!isKept) this.#drop(slot, temporary, fd);
    }
  }

  /** @returns the bytes copied; undefined when the file was changed or removed meanwhile */
  *#copyContent(slot: number, node: FileNode, fd: number): Generator<number, number | undefined> {
    const { size } = node.attributes;
    host.unwrap(host.ftruncate(fd, size), "change", node.plainPath ?? "copy");
    const content = this.#context.lowerContent(node.id);
    let bytes = 0;
    for (let offset = nextData(content, 0, size); offset < size;) {
      const count = this.#copyPiece(content, fd, offset, Math.min(PIECE_SIZE, size - offset));
      bytes += count;
      yield count;
      if (!this.isUntouched(slot)) return undefined;
      offset = nextData(content, offset + count, size);
    }
    return bytes;
  }

  #copyPiece(content: FileContent, fd: number, offset: number, size: number): number {
    const count = content.readInto(this.#buffer, 0, size, offset);
    if (count < size) throw new OsError(host.Errno.EIO, "read", "file of the backup");
    const written = host.pwriteFully(fd, this.#buffer.address, size, offset);
    host.unwrap(written, "write", "copy");
    if (written < size) throw new OsError(host.Errno.ENOSPC, "write", "copy");
    return count;
  }

  #drop(slot: number, temporary: string, fd: number): void {
    if (fd >= 0) {
      host.unlinkAt(this.#context.tmpFd, temporary);
      host.close(fd);
    }
    this.#forget(slot);
  }

  /**
   * Makes the copies durable and gives them their names, as far as nobody has changed the files
   * meanwhile.
   *
   * @returns how many files and bytes of files came into the diff
   * @throws {OsError} when the disk does not take them; nothing is left of them then
   */
  place(): { files: number; bytes: number } {
    const batch = this.#batch;
    const placed = { files: 0, bytes: 0 };
    const areSynced = batch.length >= SYNCFS_FILES_MIN;
    if (areSynced) host.unwrap(host.syncfs(this.#context.tmpFd), "sync", "copies");
    for (let copy = batch[0]; copy !== undefined; copy = batch[0]) {
      const { slot, node, temporary, fd, bytes } = copy;
      if (!areSynced) host.unwrap(host.fsync(fd), "sync", "copy");
      const result = this.#placeOne(slot, node, temporary, fd);
      batch.shift();
      this.#batchBytes -= bytes;
      if (result === 0) {
        placed.files += 1;
        placed.bytes += bytes;
        this.#forget(slot);
      } else {
        this.#drop(slot, temporary, fd);
        if (result !== -host.Errno.EBUSY) host.unwrap(result, "place", "copy");
      }
    }
    return placed;
  }

  #placeOne(slot: number, node: FileNode, temporary: string, fd: number): number {
    const { table, counters } = this.#context;
    table.lockNamespace();
    try {
      if (!this.isUntouched(slot)) return -host.Errno.EBUSY;
      const result = this.#copyUp.placeDurableCopy(slot, node, temporary, fd);
      if (result < 0) return result;
      counters.add("wholeCopies", 1);
      counters.add("bytesCopied", node.attributes.size);
      return 0;
    } finally {
      table.unlockNamespace();
    }
  }

  /** Drops what was not placed. */
  close(): void {
    for (const { slot, temporary, fd } of this.#batch) this.#drop(slot, temporary, fd);
    this.#batch = [];
    this.#batchBytes = 0;
  }
}

function nextData(content: FileContent, offset: number, size: number): number {
  return seekContent(content, offset, size, false);
}
