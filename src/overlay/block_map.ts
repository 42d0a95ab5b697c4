/**
 * The block maps of a partial file: which blocks are in the diff.
 *
 * The *working* map is written right after the data, and is what reads follow; after a kill it is
 * in the host's page cache. After a power cut it may have reached the disk before the data, so then
 * only the *durable* map counts, which is written after the data were synced. The header's boot id
 * distinguishes the two cases.
 *
 * The maps stay in the file: a read of the few bytes that a request needs costs 0.2 µs, and all
 * threads see them.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { OverlayContext } from "./context.ts";
import { Flag } from "./node_flags.ts";
import {
  BOOT_ID_OFFSET,
  layoutFromDataOffset,
  type PartialLayout,
  VISIBLE_SIZE_OFFSET,
} from "./partial_file.ts";

const { Errno } = host;

/** Most blocks one call may ask for: the largest request and an incomplete block at each end. */
const WINDOW_BYTES = 4096;

/** Bits that are set in a byte. No map has any behind its last block. */
const BITS_SET = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** Reads and changes block maps for one thread. Methods that change want the node's lock. */
export class BlockMaps {
  readonly #context: OverlayContext;
  readonly #window = host.allocateNativeBuffer(WINDOW_BYTES);
  readonly #number = host.allocateNativeBuffer(8);
  readonly #numberView = new DataView(this.#number.bytes.buffer);
  readonly #stat = new host.HostStat();
  #windowStart = 0;

  constructor(context: OverlayContext) {
    this.#context = context;
  }

  #layout(slot: number): PartialLayout {
    const { table } = this.#context;
    return layoutFromDataOffset(table.dataOffset(slot), table.mapBlocks(slot));
  }

  /**
   * Loads the bits of blocks `first` to `last` (inclusive, inside the map) for {@link isInDiff}.
   *
   * @returns 0 or a negative errno
   */
  load(slot: number, fd: number, first: number, last: number): number {
    const { table } = this.#context;
    const start = first >> 3;
    const size = (last >> 3) - start + 1;
    if (size > WINDOW_BYTES) return -Errno.EINVAL;
    const mapSize = Math.ceil(table.mapBlocks(slot) / 8);
    const aligned = Math.ceil(mapSize / 4096) * 4096;
    const isOld = table.has(slot, Flag.MAP_OLD_BOOT);
    const offset = table.dataOffset(slot) - (isOld ? aligned : 2 * aligned) + start;
    this.#windowStart = start;
    const count = host.preadFully(fd, this.#window.address, size, offset);
    if (count < 0) return count;
    return count === size ? 0 : -Errno.EIO;
  }

  /** Whether a block of the loaded range is in the diff. */
  isInDiff(block: number): boolean {
    return (this.#window.bytes[(block >> 3) - this.#windowStart]! & (1 << (block & 7))) !== 0;
  }

  /**
   * Blocks that the map which counts now, and the durable one, lack. @returns in both a negative
   * errno, where the maps cannot be read
   */
  countMissing(slot: number, fd: number): { readonly working: number; readonly durable: number } {
    const layout = this.#layout(slot);
    const mapBlocks = this.#context.table.mapBlocks(slot);
    const isOld = this.#context.table.has(slot, Flag.MAP_OLD_BOOT);
    const durable = this.#countUnset(fd, layout.durableMapOffset, mapBlocks);
    const working = isOld || durable <= 0
      ? durable
      : this.#countUnset(fd, layout.workingMapOffset, mapBlocks);
    return working < 0 ? { working, durable: working } : { working, durable };
  }

  #countUnset(fd: number, mapOffset: number, mapBlocks: number): number {
    const { bytes, address } = this.#window;
    let unset = mapBlocks;
    for (let start = 0; start * 8 < mapBlocks; start += WINDOW_BYTES) {
      const size = Math.min(WINDOW_BYTES, Math.ceil(mapBlocks / 8) - start);
      const count = host.preadFully(fd, address, size, mapOffset + start);
      if (count < size) return count < 0 ? count : -Errno.EIO;
      for (let i = 0; i < size; i++) unset -= BITS_SET[bytes[i]!]!;
    }
    return unset;
  }

  /**
   * Says that blocks `first` to `last` (inside the map) are in the diff; their data must be written
   * already.
   *
   * @returns the number of blocks that were not in the diff before, or a negative errno
   */
  add(slot: number, fd: number, first: number, last: number): number {
    const { table } = this.#context;
    const prepared = this.#useWorkingMap(slot, fd);
    if (prepared < 0) return prepared;
    let added = 0;
    for (let block = first; block <= last;) {
      const end = Math.min(last, (((block >> 3) + WINDOW_BYTES) << 3) - 1);
      const result = this.load(slot, fd, block, end);
      if (result < 0) return result;
      const before = added;
      for (let b = block; b <= end; b++) {
        if (this.isInDiff(b)) continue;
        this.#window.bytes[(b >> 3) - this.#windowStart]! |= 1 << (b & 7);
        added += 1;
      }
      if (added > before) {
        // Set first: a sync that comes in between then makes these blocks durable, too.
        table.setFlags(slot, Flag.MAP_DIRTY);
        const size = (end >> 3) - this.#windowStart + 1;
        const offset = this.#layout(slot).workingMapOffset + this.#windowStart;
        const written = host.pwriteFully(fd, this.#window.address, size, offset);
        if (written < size) return written < 0 ? written : -Errno.ENOSPC;
      }
      block = end + 1;
    }
    return added;
  }

  /**
   * After a reboot: makes the working map what the durable one is, and says that it is of this
   * boot.
   */
  #useWorkingMap(slot: number, fd: number): number {
    const { table, bootId } = this.#context;
    if (!table.has(slot, Flag.MAP_OLD_BOOT)) return 0;
    const layout = this.#layout(slot);
    const map = host.allocateNativeBuffer(Math.max(layout.mapSize, 16));
    const count = host.preadFully(fd, map.address, layout.mapSize, layout.durableMapOffset);
    if (count < layout.mapSize) return count < 0 ? count : -Errno.EIO;
    const written = host.pwriteFully(fd, map.address, layout.mapSize, layout.workingMapOffset);
    if (written < layout.mapSize) return written < 0 ? written : -Errno.EIO;
    map.bytes.set(bootId);
    const stamped = host.pwriteFully(fd, map.address, bootId.length, BOOT_ID_OFFSET);
    if (stamped < bootId.length) return stamped < 0 ? stamped : -Errno.EIO;
    table.clearFlags(slot, Flag.MAP_OLD_BOOT);
    return 0;
  }

  /**
   * Makes sure that nothing of the lower file is visible beyond `size`: before the file grows, or
   * after it was cut.
   *
   * @returns 0 or a negative errno
   */
  lowerVisibleSize(slot: number, fd: number, size: number): number {
    const { table } = this.#context;
    if (table.limit(slot) <= size && !table.has(slot, Flag.LIMIT_UNSAVED)) return 0;
    const limit = Math.min(size, table.limit(slot));
    this.#numberView.setBigUint64(0, BigInt(limit), true);
    const written = host.pwriteFully(fd, this.#number.address, 8, VISIBLE_SIZE_OFFSET);
    if (written < 8) return written < 0 ? written : -Errno.EIO;
    table.setLimit(slot, limit);
    table.clearFlags(slot, Flag.LIMIT_UNSAVED);
    return 0;
  }

  /**
   * Makes data and map of a partial file durable: first the data, then the map that leads to them.
   * Takes the node's lock by itself.
   *
   * @returns 0 or a negative errno
   */
  settle(slot: number, fd: number): number {
    const { table } = this.#context;
    if (!table.has(slot, Flag.MAP_DIRTY) && table.addSettlers(slot, 0) === 0) {
      return host.fdatasync(fd);
    }
    table.addSettlers(slot, 1);
    table.clearFlags(slot, Flag.MAP_DIRTY);
    const result = this.#settle(slot, fd);
    if (result < 0) table.setFlags(slot, Flag.MAP_DIRTY);
    table.addSettlers(slot, -1);
    return result;
  }

  #settle(slot: number, fd: number): number {
    const { table } = this.#context;
    const layout = this.#layout(slot);
    const { mapSize } = layout;
    const working = host.allocateNativeBuffer(mapSize);
    const count = host.preadFully(fd, working.address, mapSize, layout.workingMapOffset);
    if (count < mapSize) return count < 0 ? count : -Errno.EIO;
    const synced = host.fdatasync(fd);
    if (synced < 0) return synced;
    table.lockNode(slot);
    try {
      const written = writeDurableMap(fd, layout, working, this.#stat);
      if (written < 0) return written;
    } finally {
      table.unlockNode(slot);
    }
    return host.fdatasync(fd);
  }
}

/**
 * Adds the blocks of `map`, whose data are durable, to the durable map; leaves the file's times as
 * they are.
 *
 * @returns 0 or a negative errno
 */
export function writeDurableMap(
  fd: number,
  layout: PartialLayout,
  map: host.AllocatedBuffer,
  stat: host.HostStat,
): number {
  const { mapSize, durableMapOffset } = layout;
  const durable = host.allocateNativeBuffer(mapSize);
  const count = host.preadFully(fd, durable.address, mapSize, durableMapOffset);
  if (count < mapSize) return count < 0 ? count : -Errno.EIO;
  for (let i = 0; i < mapSize; i++) durable.bytes[i]! |= map.bytes[i]!;
  const result = host.statFd(fd, stat);
  if (result < 0) return result;
  const written = host.pwriteFully(fd, durable.address, mapSize, durableMapOffset);
  if (written < mapSize) return written < 0 ? written : -Errno.EIO;
  return host.utimensAt(
    fd,
    "",
    stat.atimeSeconds,
    stat.atimeNanoseconds,
    stat.mtimeSeconds,
    stat.mtimeNanoseconds,
  );
}
