/**
 * Where the data of files are, and where nothing is stored: in the diff, below it, and in files
 * that are partly in both.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { seekContent } from "#src/tree/node.ts";
import { BlockMaps } from "./block_map.ts";
import type { OverlayContext } from "./context.ts";
import { Flag } from "./node_flags.ts";
import { BLOCK_SIZE } from "./partial_file.ts";

const { Errno } = host;

/** Blocks of a map that are looked at in one go. */
const SEEK_BLOCKS = 64;

/** Looks for data and holes for one thread. The nodes are open, or their lock is held. */
export class Holes {
  readonly #context: OverlayContext;
  readonly #maps: BlockMaps;

  constructor(context: OverlayContext) {
    this.#context = context;
    this.#maps = new BlockMaps(context);
  }

  /** lseek(2) for SEEK_DATA and SEEK_HOLE. */
  seek(slot: number, offset: number, whence: number): number {
    const { table } = this.#context;
    const flags = table.flags(slot);
    if ((flags & Flag.UPPER) !== 0 && (flags & Flag.PARTIAL) === 0) {
      return host.lseek(table.fd(slot), offset, whence);
    }
    if (whence !== host.Seek.DATA && whence !== host.Seek.HOLE) return -Errno.EINVAL;
    const fileSize = this.#fileSize(slot);
    if (fileSize < 0) return fileSize;
    if (offset >= fileSize) return -Errno.ENXIO;
    const isHoleWanted = whence === host.Seek.HOLE;
    const found = (flags & Flag.UPPER) === 0
      ? this.#seekLower(slot, offset, fileSize, isHoleWanted)
      : this.#seekPartial(slot, offset, fileSize, isHoleWanted);
    return found === fileSize && !isHoleWanted ? -Errno.ENXIO : found;
  }

  /** Of a file that is not plain in the diff. @returns its size, or a negative errno */
  #fileSize(slot: number): number {
    const { table, lower, stat } = this.#context;
    if (!table.has(slot, Flag.UPPER)) {
      return lower.nodeById(table.lowerId(slot))?.attributes.size ?? -Errno.EIO;
    }
    const result = host.statFd(table.fd(slot), stat);
    return result < 0 ? result : stat.size - table.dataOffset(slot);
  }

  /** @returns an offset up to `end`, or a negative errno */
  #seekLower(slot: number, offset: number, end: number, isHoleWanted: boolean): number {
    const content = this.#context.lowerContent(this.#context.table.lowerId(slot));
    return seekContent(content, offset, end, isHoleWanted);
  }

  /**
   * Goes through the runs of blocks of either layer. @returns an offset up to `fileSize`, or a
   * negative errno
   */
  #seekPartial(slot: number, offset: number, fileSize: number, isHoleWanted: boolean): number {
    const { table } = this.#context;
    const fd = table.fd(slot);
    const mapEnd = Math.min(table.mapBlocks(slot) * BLOCK_SIZE, fileSize);
    let position = offset;
    while (position < mapEnd) {
      const first = Math.floor(position / BLOCK_SIZE);
      const last = Math.min(first + SEEK_BLOCKS, table.mapBlocks(slot)) - 1;
      const loaded = this.#maps.load(slot, fd, first, last);
      if (loaded < 0) return loaded;
      const isInDiff = this.#maps.isInDiff(first);
      let next = first + 1;
      while (next <= last && this.#maps.isInDiff(next) === isInDiff) next += 1;
      const end = Math.min(next * BLOCK_SIZE, mapEnd);
      const found = isInDiff
        ? this.#seekDiff(slot, position, end, isHoleWanted)
        : this.#seekVisible(slot, position, end, isHoleWanted);
      if (found < end) return found;
      position = end;
    }
    return position < fileSize ? this.#seekDiff(slot, position, fileSize, isHoleWanted) : fileSize;
  }

  /**
   * In bytes that are in the diff: what its file system knows. @returns an offset up to `end`, or a
   * negative errno
   */
  #seekDiff(slot: number, offset: number, end: number, isHoleWanted: boolean): number {
    const { table } = this.#context;
    const { DATA, HOLE } = host.Seek;
    const dataOffset = table.dataOffset(slot);
    const found = host.lseek(table.fd(slot), dataOffset + offset, isHoleWanted ? HOLE : DATA);
    if (found === -Errno.ENXIO) return end;
    return found < 0 ? found : Math.min(found - dataOffset, end);
  }

  /**
   * In bytes of the lower file; what is not visible any more is a hole. @returns an offset up to
   * `end`
   */
  #seekVisible(slot: number, offset: number, end: number, isHoleWanted: boolean): number {
    const visibleEnd = Math.min(this.#context.table.limit(slot), end);
    if (offset >= visibleEnd) return isHoleWanted ? offset : end;
    const found = this.#seekLower(slot, offset, visibleEnd, isHoleWanted);
    return !isHoleWanted && found === visibleEnd ? end : found;
  }
}
