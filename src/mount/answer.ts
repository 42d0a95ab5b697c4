/**
 * The answer that a worker is building: one buffer, reused for all requests. A 16-byte header, then
 * the body in the kernel's layout.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { TRANSFER_SIZE_MAX } from "#ffi/libfuse3/init.ts";
import {
  Attr,
  AttrOut,
  CountOut,
  EntryOut,
  Kstatfs,
  OpenAnswerFlag,
  OpenOut,
  OutHeader,
} from "#ffi/libfuse3/kernel.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FileType } from "#src/tree/node.ts";
import type { AttributesSlot, EntrySlot, OpenSlot, StatfsSlot } from "#src/tree/file_system.ts";

/** Offset of the body. */
export const BODY = OutHeader.SIZE;

/** Room behind the largest body, so that a name may be written before it is known to fit. */
const SLACK = 8192;

const TWO_POW_32 = 0x1_0000_0000;

/** S_ISUID and S_ISGID. */
const SUIDGID = 0o6000;

/**
 * How long the kernel may keep attributes. A write clears set-user-id and set-group-id on our side
 * only: the kernel goes on showing the mode it has, so it must not keep one with these bits.
 */
function attributeTimeoutSeconds(attributes: AttributesSlot): number {
  const { mode } = attributes;
  const isAtRisk = (mode & SUIDGID) !== 0 && (mode & FileType.MASK) === FileType.FILE;
  return isAtRisk ? 0 : attributes.timeoutSeconds;
}

/** Writes headers and bodies. */
export class Answer {
  readonly buffer: NativeBuffer = allocateNativeBuffer(BODY + TRANSFER_SIZE_MAX + SLACK);
  readonly bodyAddress: bigint = this.buffer.address + BigInt(BODY);
  readonly view: DataView<ArrayBuffer> = new DataView(this.buffer.bytes.buffer);

  /** Writes the header. `error` is 0 or a negative errno. */
  setHeader(sizeBytes: number, error: number, uniqueLow: number, uniqueHigh: number): void {
    this.view.setUint32(OutHeader.LEN, sizeBytes, true);
    this.view.setInt32(OutHeader.ERROR, error, true);
    this.view.setUint32(OutHeader.UNIQUE, uniqueLow, true);
    this.view.setUint32(OutHeader.UNIQUE + 4, uniqueHigh, true);
  }

  uint64(offset: number): number {
    return this.view.getUint32(offset, true) +
      this.view.getUint32(offset + 4, true) * TWO_POW_32;
  }

  setUint64(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
    // The signed high word makes negative seconds right, too.
    this.view.setInt32(offset + 4, Math.floor(value / TWO_POW_32), true);
  }

  /** Writes an entry_out at `offset`. @returns its size */
  setEntry(offset: number, entry: EntrySlot): number {
    const { view } = this;
    const { attributes } = entry;
    this.setUint64(offset + EntryOut.NODEID, entry.nodeId);
    this.setUint64(offset + EntryOut.GENERATION, 0);
    const entrySeconds = Math.floor(entry.timeoutSeconds);
    const attributeTimeout = attributeTimeoutSeconds(attributes);
    const attributeSeconds = Math.floor(attributeTimeout);
    this.setUint64(offset + EntryOut.ENTRY_VALID, entrySeconds);
    this.setUint64(offset + EntryOut.ATTR_VALID, attributeSeconds);
    view.setUint32(
      offset + EntryOut.ENTRY_VALID_NANOSECONDS,
      (entry.timeoutSeconds - entrySeconds) * 1e9,
      true,
    );
    view.setUint32(
      offset + EntryOut.ATTR_VALID_NANOSECONDS,
      (attributeTimeout - attributeSeconds) * 1e9,
      true,
    );
    this.#setAttributes(offset + EntryOut.ATTR, attributes);
    return EntryOut.SIZE;
  }

  /** Writes an attr_out. @returns its size */
  setAttributesBody(attributes: AttributesSlot): number {
    const timeout = attributeTimeoutSeconds(attributes);
    const seconds = Math.floor(timeout);
    this.setUint64(BODY + AttrOut.VALID, seconds);
    this.view.setUint32(
      BODY + AttrOut.VALID_NANOSECONDS,
      (timeout - seconds) * 1e9,
      true,
    );
    this.view.setUint32(BODY + AttrOut.PADDING, 0, true);
    this.#setAttributes(BODY + AttrOut.ATTR, attributes);
    return AttrOut.SIZE;
  }

  #setAttributes(offset: number, attributes: AttributesSlot): void {
    const { view } = this;
    this.setUint64(offset + Attr.INO, attributes.ino);
    this.setUint64(offset + Attr.SIZE_BYTES, attributes.size);
    this.setUint64(offset + Attr.BLOCKS, attributes.blocks);
    this.setUint64(offset + Attr.ATIME, attributes.atimeSeconds);
    this.setUint64(offset + Attr.MTIME, attributes.mtimeSeconds);
    this.setUint64(offset + Attr.CTIME, attributes.ctimeSeconds);
    view.setUint32(offset + Attr.ATIME_NANOSECONDS, attributes.atimeNanoseconds, true);
    view.setUint32(offset + Attr.MTIME_NANOSECONDS, attributes.mtimeNanoseconds, true);
    view.setUint32(offset + Attr.CTIME_NANOSECONDS, attributes.ctimeNanoseconds, true);
    view.setUint32(offset + Attr.MODE, attributes.mode, true);
    view.setUint32(offset + Attr.NLINK, attributes.nlink, true);
    view.setUint32(offset + Attr.UID, attributes.uid, true);
    view.setUint32(offset + Attr.GID, attributes.gid, true);
    view.setUint32(offset + Attr.RDEV, attributes.rdev, true);
    view.setUint32(offset + Attr.BLOCK_SIZE, attributes.blockSizeBytes, true);
    view.setUint32(offset + Attr.FLAGS, 0, true);
  }

  /** Writes an open_out for a file at `offset`. @returns its size */
  setOpen(offset: number, open: OpenSlot): number {
    let flags = 0;
    // The kernel refuses an open that keeps pages and passes through at the same time.
    if (open.backingId > 0) flags = OpenAnswerFlag.PASSTHROUGH;
    else if (open.keepCache) flags = OpenAnswerFlag.KEEP_CACHE;
    if (open.directIo) flags |= OpenAnswerFlag.DIRECT_IO;
    return this.#setOpen(offset, open.handle, flags, open.backingId);
  }

  /** Writes an open_out for a directory. @returns its size */
  setOpenDirectory(open: OpenSlot): number {
    const flags = open.keepCache ? OpenAnswerFlag.KEEP_CACHE | OpenAnswerFlag.CACHE_DIR : 0;
    return this.#setOpen(BODY, open.handle, flags, 0);
  }

  #setOpen(offset: number, handle: number, flags: number, backingId: number): number {
    this.setUint64(offset + OpenOut.FH, handle);
    this.view.setUint32(offset + OpenOut.OPEN_FLAGS, flags, true);
    this.view.setInt32(offset + OpenOut.BACKING_ID, backingId, true);
    return OpenOut.SIZE;
  }

  /** Writes a count or offset of 64 bits (write_out, getxattr_out, lseek_out). @returns its size */
  setCount(count: number): number {
    this.setUint64(BODY + CountOut.COUNT, count);
    return CountOut.SIZE;
  }

  /** Writes a kstatfs. @returns its size */
  setStatfs(statfs: StatfsSlot): number {
    this.buffer.bytes.fill(0, BODY, BODY + Kstatfs.SIZE);
    this.setUint64(BODY + Kstatfs.BLOCKS, statfs.blocks);
    this.setUint64(BODY + Kstatfs.BLOCKS_FREE, statfs.blocksFree);
    this.setUint64(BODY + Kstatfs.BLOCKS_AVAILABLE, statfs.blocksAvailable);
    this.setUint64(BODY + Kstatfs.FILES, statfs.files);
    this.setUint64(BODY + Kstatfs.FILES_FREE, statfs.filesFree);
    this.view.setUint32(BODY + Kstatfs.BLOCK_SIZE, statfs.blockSizeBytes, true);
    this.view.setUint32(BODY + Kstatfs.NAME_LENGTH_MAX, statfs.nameLengthMax, true);
    this.view.setUint32(BODY + Kstatfs.FRAGMENT_SIZE, statfs.blockSizeBytes, true);
    return Kstatfs.SIZE;
  }

  /** Copies `bytes` into the body. @returns their number */
  setBytes(bytes: Uint8Array): number {
    this.buffer.bytes.set(bytes, BODY);
    return bytes.length;
  }
}
