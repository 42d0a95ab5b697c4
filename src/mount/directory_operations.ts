/**
 * Operations on open directories. Conventions as in `name_operations.ts`.
 *
 * @module
 */

import { Dirent, DirentPlus, EntryOut } from "#ffi/libfuse3/kernel.ts";
import { TRANSFER_SIZE_MAX } from "#ffi/libfuse3/init.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { isAboutWaiting } from "#src/io/wait_gate.ts";
import { type EmitEntry, EntrySlot, type FileSystem, OpenSlot } from "#src/tree/file_system.ts";
import { type Answer, BODY } from "./answer.ts";
import { resetOpenSlot } from "./file_operations.ts";

/** The longest name the kernel takes (FUSE_NAME_MAX); longer ones cannot be shown. */
const NAME_LENGTH_MAX = 1024;

/** Handlers of the requests on open directories, for one thread. */
export class DirectoryOperations {
  readonly #fileSystem: FileSystem;
  readonly #answer: Answer;
  readonly #open = new OpenSlot();
  readonly #entry = new EntrySlot();

  // State of the listing that is being made; kept here so that a request makes no closure.
  #directoryId = 0;
  #position = 0;
  #end = 0;

  constructor(fileSystem: FileSystem, answer: Answer) {
    this.#fileSystem = fileSystem;
    this.#answer = answer;
  }

  opendir(nodeId: number): number {
    const open = resetOpenSlot(this.#open);
    const result = this.#fileSystem.opendir(nodeId, open);
    return result < 0 ? result : this.#answer.setOpenDirectory(open);
  }

  readdir(nodeId: number, handle: number, cookie: number, size: number): number {
    return this.#list(nodeId, handle, cookie, size, this.#emit);
  }

  /**
   * As {@link readdir}, with each entry looked up: every entry with a node id counts as one lookup.
   */
  readdirplus(nodeId: number, handle: number, cookie: number, size: number): number {
    try {
      const result = this.#list(nodeId, handle, cookie, size, this.#emitPlus);
      if (result < 0) this.undoReaddirplus(this.#position - BODY);
      return result;
    } catch (error) {
      this.undoReaddirplus(this.#position - BODY);
      throw error;
    }
  }

  /** Takes back the lookups counted in the first `size` bytes of a readdirplus body. */
  undoReaddirplus(size: number): void {
    const { view } = this.#answer;
    let position = BODY;
    while (position < BODY + size) {
      const nodeId = this.#answer.uint64(position + EntryOut.NODEID);
      if (nodeId !== 0) this.#fileSystem.forget(nodeId, 1);
      const nameLength = view.getUint32(position + DirentPlus.DIRENT + Dirent.NAME_LENGTH, true);
      position += padded(DirentPlus.NAME + nameLength);
    }
  }

  releasedir(nodeId: number, handle: number): number {
    this.#fileSystem.releasedir(nodeId, handle);
    return 0;
  }

  fsyncdir(nodeId: number, handle: number, dataOnly: boolean): number {
    return this.#fileSystem.fsyncdir(nodeId, handle, dataOnly);
  }

  #list(nodeId: number, handle: number, cookie: number, size: number, emit: EmitEntry): number {
    this.#directoryId = nodeId;
    this.#position = BODY;
    this.#end = BODY + Math.min(size, TRANSFER_SIZE_MAX);
    const result = this.#fileSystem.readdir(nodeId, handle, cookie, emit);
    return result < 0 ? result : this.#position - BODY;
  }

  readonly #emit: EmitEntry = (name, ino, type, nextCookie) => {
    const position = this.#position;
    const nameLength = this.#setName(position + Dirent.NAME, name);
    if (nameLength < 0) return true;
    const next = position + padded(Dirent.NAME + nameLength);
    if (next > this.#end) return false;
    this.#setDirent(position, ino, type, nextCookie, nameLength);
    this.#position = next;
    return true;
  };

  readonly #emitPlus: EmitEntry = (name, ino, type, nextCookie) => {
    const position = this.#position;
    const nameLength = this.#setName(position + DirentPlus.NAME, name);
    if (nameLength < 0) return true;
    const next = position + padded(DirentPlus.NAME + nameLength);
    // Checked before the lookup, so that no lookup has to be taken back.
    if (next > this.#end) return false;
    // The kernel wants no entry for these two; one that has just gone is shown without, too.
    const found = name !== "." && name !== ".." && this.#lookup(name);
    if (found) this.#answer.setEntry(position, this.#entry);
    else this.#answer.buffer.bytes.fill(0, position, position + EntryOut.SIZE);
    this.#setDirent(position + DirentPlus.DIRENT, ino, type, nextCookie, nameLength);
    this.#position = next;
    return true;
  };

  /** What cannot be looked up fails alone, when it is asked for, and not the whole list. */
  #lookup(name: string): boolean {
    try {
      return this.#fileSystem.lookup(this.#directoryId, name, this.#entry) >= 0;
    } catch (error) {
      if (isAboutWaiting(error)) throw error;
      return false;
    }
  }

  #setDirent(
    position: number,
    ino: number,
    type: number,
    nextCookie: number,
    nameLength: number,
  ): void {
    const { view } = this.#answer;
    this.#answer.setUint64(position + Dirent.INO, ino);
    this.#answer.setUint64(position + Dirent.OFF, nextCookie);
    view.setUint32(position + Dirent.NAME_LENGTH, nameLength, true);
    view.setUint32(position + Dirent.TYPE, type, true);
    const nameEnd = position + Dirent.NAME + nameLength;
    this.#answer.buffer.bytes.fill(0, nameEnd, nameEnd + (-nameLength & 7));
  }

  /** Writes a name. @returns its length in bytes, or -1 when the kernel would not take it */
  #setName(position: number, name: string): number {
    const { bytes } = this.#answer.buffer;
    const { length } = name;
    if (length > NAME_LENGTH_MAX) return -1;
    for (let i = 0; i < length; i++) {
      const code = name.charCodeAt(i);
      if (code >= 0x80) return this.#setEncodedName(position, name);
      bytes[position + i] = code;
    }
    return length;
  }

  #setEncodedName(position: number, name: string): number {
    const encoded = encodeFileName(name);
    if (encoded.length > NAME_LENGTH_MAX) return -1;
    this.#answer.buffer.bytes.set(encoded, position);
    return encoded.length;
  }
}

function padded(size: number): number {
  return size + 7 & ~7;
}
