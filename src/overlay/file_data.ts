/**
 * The bytes of files: reading through diff and lower tree, copy-on-write by block, truncation,
 * fsync.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import * as host from "#ffi/libc/calls.ts";
import { BlockMaps } from "./block_map.ts";
import { COPY_SIZE, type OverlayContext } from "./context.ts";
import { settleCopy } from "./copy_mark.ts";
import { Flag } from "./node_flags.ts";
import { BLOCK_SIZE } from "./partial_file.ts";

const { Errno } = host;

/** Reads and writes files for one thread. The nodes are open, or their lock is held. */
export class FileData {
  readonly #context: OverlayContext;
  readonly #maps: BlockMaps;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext) {
    this.#context = context;
    this.#maps = new BlockMaps(context);
  }

  /**
   * Reads up to `size` bytes. @returns the count, short only at the end of the file, or a negative
   * errno
   */
  read(
    slot: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const { table, counters } = this.#context;
    const flags = table.flags(slot);
    if ((flags & Flag.UPPER) === 0) {
      const count = this.#context.lowerContent(table.lowerId(slot))
        .readInto(target, start, size, offset);
      counters.add("readsFromLower", 1);
      counters.add("bytesFromLower", count);
      return count;
    }
    const fd = table.fd(slot);
    if (fd < 0) return -Errno.EBADF;
    if ((flags & Flag.PARTIAL) !== 0) {
      return this.#readPartial(slot, fd, offset, size, target, start);
    }
    const count = host.preadFully(fd, target.address + BigInt(start), size, offset);
    counters.add("readsFromDiff", 1);
    if (count > 0) counters.add("bytesFromDiff", count);
    return count;
  }

  #readPartial(
    slot: number,
    fd: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const { table } = this.#context;
    const result = host.statFd(fd, this.#stat);
    if (result < 0) return result;
    const fileSize = this.#stat.size - table.dataOffset(slot);
    const end = Math.min(offset + size, fileSize);
    if (offset >= end) return 0;
    const mapBlocks = table.mapBlocks(slot);
    const firstBlock = Math.floor(offset / BLOCK_SIZE);
    const lastBlock = Math.min(Math.floor((end - 1) / BLOCK_SIZE), mapBlocks - 1);
    let position = offset;
    if (firstBlock <= lastBlock) {
      const loaded = this.#maps.load(slot, fd, firstBlock, lastBlock);
      if (loaded < 0) return loaded;
      let block = firstBlock;
      while (block <= lastBlock) {
        const isInDiff = this.#maps.isInDiff(block);
        let next = block + 1;
        while (next <= lastBlock && this.#maps.isInDiff(next) === isInDiff) next += 1;
        const runEnd = Math.min(next * BLOCK_SIZE, end);
        const at = start + position - offset;
        const read = isInDiff
          ? this.#readDiff(slot, fd, position, runEnd - position, target, at)
          : this.#readLower(slot, position, runEnd - position, target, at);
        if (read < 0) return read;
        position = runEnd;
        block = next;
      }
    }
    if (position < end) {
      const at = start + position - offset;
      const read = this.#readDiff(slot, fd, position, end - position, target, at);
      if (read < 0) return read;
    }
    return end - offset;
  }

  /** Reads bytes that are in the diff; what was cut off meanwhile reads as zeros. */
  #readDiff(
    slot: number,
    fd: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const { table, counters } = this.#context;
    const count = host.preadFully(
      fd,
      target.address + BigInt(start),
      size,
      table.dataOffset(slot) + offset,
    );
    if (count < 0) return count;
    if (count < size) target.bytes.fill(0, start + count, start + size);
    counters.add("readsFromDiff", 1);
    counters.add("bytesFromDiff", size);
    return size;
  }

  /** Reads bytes of the lower file as far as they are visible, zeros beyond. */
  #readLower(
    slot: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const { table, counters } = this.#context;
    const visible = Math.max(0, Math.min(size, table.limit(slot) - offset));
    let count = 0;
    if (visible > 0) {
      count = this.#context.lowerContent(table.lowerId(slot))
        .readInto(target, start, visible, offset);
      if (count < visible) return -Errno.EIO;
    }
    if (count < size) target.bytes.fill(0, start + count, start + size);
    counters.add("readsFromLower", 1);
    counters.add("bytesFromLower", count);
    return size;
  }

  /**
   * Writes to a file of the diff. Takes the node's lock where it needs it.
   *
   * @returns the count of bytes written, or a negative errno
   */
  write(
    slot: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
  ): number {
    const { table, counters } = this.#context;
    const fd = table.fd(slot);
    if (fd < 0) return -Errno.EBADF;
    let count: number;
    if (table.has(slot, Flag.PARTIAL)) {
      this.fetchEnds(slot, offset, size);
      table.lockNode(slot);
      try {
        count = this.#writePartial(slot, fd, offset, size, source, start);
      } finally {
        table.unlockNode(slot);
      }
    } else {
      count = host.pwriteFully(fd, source.address + BigInt(start), size, offset);
    }
    if (count > 0) counters.add("bytesWritten", count);
    return count;
  }

  /**
   * Reads the old bytes that a change of this range needs of the blocks at its ends: a lower tree
   * that does not answer then does so before a lock is held that others want, be it only to close
   * the file. Needs no lock itself.
   */
  fetchEnds(slot: number, offset: number, size: number): void {
    const { table } = this.#context;
    const end = offset + size;
    const isHeadOpen = offset % BLOCK_SIZE !== 0;
    if (!isHeadOpen && end % BLOCK_SIZE === 0 || !table.has(slot, Flag.PARTIAL)) return;
    const fd = table.fd(slot);
    if (fd < 0 || host.statFd(fd, this.#stat) < 0) return;
    const fileSize = this.#stat.size - table.dataOffset(slot);
    if (isHeadOpen) this.#fetchBlock(slot, fd, Math.floor(offset / BLOCK_SIZE), fileSize);
    if (end % BLOCK_SIZE === 0 || end >= fileSize) return;
    this.#fetchBlock(slot, fd, Math.floor(end / BLOCK_SIZE), fileSize);
  }

  #fetchBlock(slot: number, fd: number, block: number, fileSize: number): void {
    const { table, blockBuffer } = this.#context;
    if (block >= table.mapBlocks(slot) || this.#maps.load(slot, fd, block, block) < 0) return;
    const offset = block * BLOCK_SIZE;
    const size = Math.min(BLOCK_SIZE, fileSize - offset, table.limit(slot) - offset);
    if (size <= 0 || this.#maps.isInDiff(block)) return;
    this.#context.lowerContent(table.lowerId(slot)).readInto(blockBuffer, 0, size, offset);
  }

  #writePartial(
    slot: number,
    fd: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
  ): number {
    const { table } = this.#context;
    if (size === 0) return 0;
    const result = host.statFd(fd, this.#stat);
    if (result < 0) return result;
    const fileSize = this.#stat.size - table.dataOffset(slot);
    const end = offset + size;
    if (end > fileSize) {
      const lowered = this.#maps.lowerVisibleSize(slot, fd, fileSize);
      if (lowered < 0) return lowered;
    }
    const first = Math.floor(offset / BLOCK_SIZE);
    const last = Math.floor((end - 1) / BLOCK_SIZE);
    const mapLast = Math.min(last, table.mapBlocks(slot) - 1);
    if (first > mapLast) return this.#writeData(slot, fd, offset, size, source, start);
    const loaded = this.#maps.load(slot, fd, first, mapLast);
    if (loaded < 0) return loaded;
    let isComplete = true;
    for (let block = first; block <= mapLast && isComplete; block++) {
      isComplete = this.#maps.isInDiff(block);
    }
    if (isComplete) return this.#writeData(slot, fd, offset, size, source, start);
    return this.#writeNewBlocks(slot, fd, offset, size, source, start, fileSize);
  }

  #writeData(
    slot: number,
    fd: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
  ): number {
    const { table } = this.#context;
    return host.pwriteFully(
      fd,
      source.address + BigInt(start),
      size,
      table.dataOffset(slot) + offset,
    );
  }

  /**
   * Writes where at least one block is not yet in the diff. The blocks at both ends are filled up
   * with their old bytes first; the map is changed last, so that until then the old content shows.
   */
  #writeNewBlocks(
    slot: number,
    fd: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    fileSize: number,
  ): number {
    const { table, counters } = this.#context;
    const end = offset + size;
    const first = Math.floor(offset / BLOCK_SIZE);
    const last = Math.floor((end - 1) / BLOCK_SIZE);
    const mapLast = Math.min(last, table.mapBlocks(slot) - 1);
    if (offset % BLOCK_SIZE !== 0 && !this.#maps.isInDiff(first)) {
      const filled = this.#copyBlock(slot, fd, first, fileSize);
      if (filled < 0) return filled;
    }
    const isTailOpen = end % BLOCK_SIZE !== 0 && end < fileSize && last <= mapLast;
    if (
      isTailOpen && !this.#maps.isInDiff(last) && (last !== first || offset % BLOCK_SIZE === 0)
    ) {
      const filled = this.#copyBlock(slot, fd, last, fileSize);
      if (filled < 0) return filled;
    }
    const written = this.#writeData(slot, fd, offset, size, source, start);
    if (written < 0) return written;
    let acknowledged = written;
    let lastComplete = mapLast;
    if (written < size) {
      // Out of space: only blocks that are complete become visible.
      const completeEnd = Math.floor((offset + written) / BLOCK_SIZE) * BLOCK_SIZE;
      acknowledged = completeEnd - offset;
      lastComplete = Math.min(mapLast, completeEnd / BLOCK_SIZE - 1);
      if (acknowledged <= 0) return -Errno.ENOSPC;
    }
    const added = this.#maps.add(slot, fd, first, lastComplete);
    if (added < 0) return added;
    counters.add("blocksCopied", added);
    counters.add("bytesCopied", added * BLOCK_SIZE);
    return acknowledged;
  }

  /** Copies the visible old content of one block into the diff's file, without showing it yet. */
  #copyBlock(slot: number, fd: number, block: number, fileSize: number): number {
    const { blockBuffer } = this.#context;
    const offset = block * BLOCK_SIZE;
    const size = Math.min(BLOCK_SIZE, fileSize - offset);
    if (size <= 0) return 0;
    const read = this.#readLower(slot, offset, size, blockBuffer, 0);
    if (read < 0) return read;
    const written = this.#writeData(slot, fd, offset, size, blockBuffer, 0);
    return written === size ? 0 : written < 0 ? written : -Errno.ENOSPC;
  }

  /**
   * Copies the blocks of a byte range into the diff that are not yet there. Takes the node's lock.
   */
  materialize(slot: number, offset: number, size: number): number {
    const { table, counters } = this.#context;
    const fd = table.fd(slot);
    if (fd < 0 || size === 0 || !table.has(slot, Flag.PARTIAL)) return 0;
    table.lockNode(slot);
    try {
      const result = host.statFd(fd, this.#stat);
      if (result < 0) return result;
      const fileSize = this.#stat.size - table.dataOffset(slot);
      const first = Math.floor(offset / BLOCK_SIZE);
      const end = Math.min(offset + size, fileSize);
      const last = Math.min(Math.ceil(end / BLOCK_SIZE), table.mapBlocks(slot)) - 1;
      for (let block = first; block <= last; block++) {
        const loaded = this.#maps.load(slot, fd, block, block);
        if (loaded < 0) return loaded;
        if (this.#maps.isInDiff(block)) continue;
        const copied = this.#copyBlock(slot, fd, block, fileSize);
        if (copied < 0) return copied;
        const added = this.#maps.add(slot, fd, block, block);
        if (added < 0) return added;
        counters.add("blocksCopied", 1);
        counters.add("bytesCopied", BLOCK_SIZE);
      }
      return 0;
    } finally {
      table.unlockNode(slot);
    }
  }

  /** Sets the size of a file of the diff. Wants the node's lock. */
  truncate(slot: number, size: number): number {
    const { table } = this.#context;
    const fd = table.fd(slot);
    if (!table.has(slot, Flag.PARTIAL)) return host.ftruncate(fd, size);
    const result = host.statFd(fd, this.#stat);
    if (result < 0) return result;
    const fileSize = this.#stat.size - table.dataOffset(slot);
    if (size > fileSize) {
      const lowered = this.#maps.lowerVisibleSize(slot, fd, fileSize);
      if (lowered < 0) return lowered;
    }
    const truncated = host.ftruncate(fd, table.dataOffset(slot) + size);
    if (truncated < 0) return truncated;
    return this.#maps.lowerVisibleSize(slot, fd, size);
  }

  /** fallocate(2) on a file of the diff. Wants the node's lock. */
  fallocate(slot: number, mode: number, offset: number, length: number): number {
    const { table } = this.#context;
    const { KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE } = host.Fallocate;
    if ((mode & ~(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE)) !== 0) return -Errno.EOPNOTSUPP;
    const fd = table.fd(slot);
    if (!table.has(slot, Flag.PARTIAL)) return host.fallocate(fd, mode, offset, length);
    const result = host.statFd(fd, this.#stat);
    if (result < 0) return result;
    const fileSize = this.#stat.size - table.dataOffset(slot);
    const end = offset + length;
    const doesGrow = (mode & KEEP_SIZE) === 0 && end > fileSize;
    if (doesGrow) {
      const lowered = this.#maps.lowerVisibleSize(slot, fd, fileSize);
      if (lowered < 0) return lowered;
    }
    if ((mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0) {
      const zeroed = this.#zero(slot, fd, offset, Math.min(end, fileSize), fileSize);
      if (zeroed < 0) return zeroed;
      return doesGrow ? host.ftruncate(fd, table.dataOffset(slot) + end) : 0;
    }
    return host.fallocate(fd, mode, table.dataOffset(slot) + offset, length);
  }

  /** Makes a range inside the file read as zeros. */
  #zero(slot: number, fd: number, offset: number, end: number, fileSize: number): number {
    const { table } = this.#context;
    if (offset >= end) return 0;
    const first = Math.floor(offset / BLOCK_SIZE);
    const last = Math.floor((end - 1) / BLOCK_SIZE);
    const mapLast = Math.min(last, table.mapBlocks(slot) - 1);
    // The old bytes around the range must be in the diff before its blocks are.
    for (const block of first === last ? [first] : [first, last]) {
      const isCovered = offset <= block * BLOCK_SIZE &&
        (end >= (block + 1) * BLOCK_SIZE || end >= fileSize);
      if (isCovered || block > mapLast) continue;
      const loaded = this.#maps.load(slot, fd, block, block);
      if (loaded < 0) return loaded;
      if (this.#maps.isInDiff(block)) continue;
      const copied = this.#copyBlock(slot, fd, block, fileSize);
      if (copied < 0) return copied;
    }
    const { KEEP_SIZE, PUNCH_HOLE } = host.Fallocate;
    const punched = host.fallocate(
      fd,
      KEEP_SIZE | PUNCH_HOLE,
      table.dataOffset(slot) + offset,
      end - offset,
    );
    if (punched < 0) return punched;
    if (first > mapLast) return 0;
    const added = this.#maps.add(slot, fd, first, mapLast);
    return added < 0 ? added : 0;
  }

  /** Makes the content of a file of the diff durable. */
  sync(slot: number, dataOnly: boolean): number {
    const { table, counters } = this.#context;
    const fd = table.fd(slot);
    if (fd < 0) return -Errno.EBADF;
    counters.add("syncs", 1);
    if (table.has(slot, Flag.PARTIAL)) {
      const result = this.#maps.settle(slot, fd);
      if (result < 0 || dataOnly) return result;
    } else if (table.has(slot, Flag.COPY_UNSYNCED)) {
      const result = settleCopy(fd);
      if (result === 0) table.clearFlags(slot, Flag.COPY_UNSYNCED);
      return result;
    } else if (dataOnly) {
      return host.fdatasync(fd);
    }
    return host.fsync(fd);
  }

  /**
   * Copies between two open files; the target stands in the diff. @returns the number of bytes
   * copied
   */
  copyRange(
    slotIn: number,
    offsetIn: number,
    slotOut: number,
    offsetOut: number,
    length: number,
  ): number {
    const { table, copyBuffer } = this.#context;
    const isWholeIn = (table.flags(slotIn) & (Flag.UPPER | Flag.PARTIAL)) === Flag.UPPER;
    const isWholeOut = !table.has(slotOut, Flag.PARTIAL);
    if (isWholeIn && isWholeOut) {
      const size = Math.min(length, 1 << 30);
      return host.copyFileRange(table.fd(slotIn), offsetIn, table.fd(slotOut), offsetOut, size);
    }
    const count = this.read(slotIn, offsetIn, Math.min(length, COPY_SIZE), copyBuffer, 0);
    return count <= 0 ? count : this.write(slotOut, offsetOut, count, copyBuffer, 0);
  }
}
