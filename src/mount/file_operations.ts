/**
 * Operations on open files. Conventions as in `name_operations.ts`.
 *
 * @module
 */

import { Errno } from "#ffi/os_error.ts";
import { TRANSFER_SIZE_MAX } from "#ffi/libfuse3/init.ts";
import { Seek } from "#ffi/libc/calls.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { type Caller, EntrySlot, type FileSystem, OpenSlot } from "#src/tree/file_system.ts";
import { type Answer, BODY } from "./answer.ts";

const OFFSET_MAX = Number.MAX_SAFE_INTEGER - TRANSFER_SIZE_MAX;

/** Handlers of the requests on open files, for one thread. */
export class FileOperations {
  readonly #fileSystem: FileSystem;
  readonly #answer: Answer;
  readonly #caller: Caller;
  readonly #entry = new EntrySlot();
  readonly #open = new OpenSlot();

  constructor(fileSystem: FileSystem, answer: Answer, caller: Caller) {
    this.#fileSystem = fileSystem;
    this.#answer = answer;
    this.#caller = caller;
  }

  open(nodeId: number, flags: number, killSuidgid: boolean): number {
    const open = this.#freshOpenSlot();
    const result = this.#fileSystem.open(nodeId, flags, killSuidgid, open);
    return result < 0 ? result : this.#answer.setOpen(BODY, open);
  }

  create(parentId: number, name: string, flags: number, mode: number): number {
    const open = this.#freshOpenSlot();
    const result = this.#fileSystem.create(
      parentId,
      name,
      flags,
      mode,
      this.#caller,
      this.#entry,
      open,
    );
    if (result < 0) return result;
    const entrySize = this.#answer.setEntry(BODY, this.#entry);
    return entrySize + this.#answer.setOpen(BODY + entrySize, open);
  }

  /** Puts the data right behind the answer's header. */
  read(nodeId: number, handle: number, offset: number, size: number): number {
    if (offset > OFFSET_MAX) return 0;
    return this.#fileSystem.read(
      nodeId,
      handle,
      offset,
      Math.min(size, TRANSFER_SIZE_MAX),
      this.#answer.buffer,
      BODY,
    );
  }

  write(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    killSuidgid: boolean,
  ): number {
    if (offset > OFFSET_MAX) return -Errno.EFBIG;
    return this.#countBody(
      this.#fileSystem.write(nodeId, handle, offset, size, source, start, killSuidgid),
    );
  }

  flush(nodeId: number, handle: number): number {
    return this.#fileSystem.flush(nodeId, handle);
  }

  release(nodeId: number, handle: number): number {
    this.#fileSystem.release(nodeId, handle);
    return 0;
  }

  fsync(nodeId: number, handle: number, dataOnly: boolean): number {
    return this.#fileSystem.fsync(nodeId, handle, dataOnly);
  }

  fallocate(nodeId: number, handle: number, mode: number, offset: number, length: number): number {
    if (offset + length > OFFSET_MAX) return -Errno.EFBIG;
    return this.#fileSystem.fallocate(nodeId, handle, mode, offset, length);
  }

  /** The kernel does all but SEEK_DATA and SEEK_HOLE itself. */
  lseek(nodeId: number, handle: number, offset: number, whence: number): number {
    if (whence !== Seek.DATA && whence !== Seek.HOLE) return -Errno.EINVAL;
    if (offset < 0 || offset > OFFSET_MAX) return -Errno.ENXIO;
    return this.#countBody(this.#fileSystem.lseek(nodeId, handle, offset, whence));
  }

  copyFileRange(
    nodeIdIn: number,
    offsetIn: number,
    nodeIdOut: number,
    offsetOut: number,
    length: number,
  ): number {
    if (offsetIn > OFFSET_MAX || offsetOut > OFFSET_MAX) return -Errno.EFBIG;
    return this.#countBody(
      this.#fileSystem.copyFileRange(nodeIdIn, offsetIn, nodeIdOut, offsetOut, length),
    );
  }

  #countBody(count: number): number {
    return count < 0 ? count : this.#answer.setCount(count);
  }

  /** The slot keeps what the last open left; a file system fills in only what it means. */
  #freshOpenSlot(): OpenSlot {
    return resetOpenSlot(this.#open);
  }
}

/** Sets all fields to their defaults. */
export function resetOpenSlot(open: OpenSlot): OpenSlot {
  open.handle = 0;
  open.keepCache = false;
  open.directIo = false;
  open.backingId = 0;
  return open;
}
