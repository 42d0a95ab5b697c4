/**
 * Fills a partial file with the blocks that are still only in the lower tree.
 *
 * What is read of the lower tree never changes, so it is read with no lock held. Under the node's
 * lock, which all writers take, only blocks are written that the diff does not have at that moment;
 * of them what was cut off meanwhile is zeros.
 *
 * @module
 */

import type { AllocatedBuffer } from "#ffi/libc/calls.ts";
import * as host from "#ffi/libc/calls.ts";
import { seekContent } from "#src/tree/node.ts";
import { BlockMaps } from "../block_map.ts";
import type { OverlayContext } from "../context.ts";
import { Flag } from "../node_flags.ts";
import { BLOCK_SIZE } from "../partial_file.ts";

const { Errno } = host;

/** Most blocks that are filled in one go: 256 KiB. */
const RUN_BLOCKS = 32;

/** Blocks of a map that are looked at in one go, and of a hole that are noted in one go. */
const WINDOW_BLOCKS = 4096 * 8;

/** Fills files for one thread. */
export class BlockFiller {
  readonly #context: OverlayContext;
  readonly #maps: BlockMaps;
  readonly #buffer: AllocatedBuffer = host.allocateNativeBuffer(RUN_BLOCKS * BLOCK_SIZE);
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext) {
    this.#context = context;
    this.#maps = new BlockMaps(context);
  }

  /**
   * The next blocks that a file lacks, from `block` on: as many as are filled in one go.
   *
   * @returns their numbers, undefined when it lacks none; or a negative errno
   */
  nextRun(
    slot: number,
    fd: number,
    block: number,
  ): { first: number; last: number } | undefined | number {
    const mapBlocks = this.#context.table.mapBlocks(slot);
    for (let start = block; start < mapBlocks; start += WINDOW_BLOCKS) {
      const end = Math.min(start + WINDOW_BLOCKS, mapBlocks);
      const loaded = this.#maps.load(slot, fd, start, end - 1);
      if (loaded < 0) return loaded;
      let first = start;
      while (first < end && this.#maps.isInDiff(first)) first += 1;
      if (first === end) continue;
      let last = first;
      while (last + 1 < end && !this.#maps.isInDiff(last + 1)) last += 1;
      return this.#cutRun(slot, first, last);
    }
    return undefined;
  }

  /** Where the lower file begins with a hole, as much of that as there is; else a piece. */
  #cutRun(slot: number, first: number, last: number): { first: number; last: number } {
    const end = (last + 1) * BLOCK_SIZE;
    const limit = this.#context.table.limit(slot);
    const data = this.#nextData(slot, first * BLOCK_SIZE, end, limit);
    const holeBlocks = Math.floor(data / BLOCK_SIZE) - first;
    const blocks = holeBlocks > RUN_BLOCKS ? holeBlocks : RUN_BLOCKS;
    return { first, last: Math.min(last, first + blocks - 1) };
  }

  /**
   * Where the next byte of the lower file is that may be other than zero, of the first `limit`
   * bytes.
   */
  #nextData(slot: number, offset: number, end: number, limit: number): number {
    const visibleEnd = Math.min(end, limit);
    if (offset >= visibleEnd) return end;
    const content = this.#context.lowerContent(this.#context.table.lowerId(slot));
    const data = seekContent(content, offset, visibleEnd, false);
    return data === visibleEnd ? end : data;
  }

  /**
   * Fills blocks that {@link nextRun} gave.
   *
   * @returns the bytes written, or a negative errno
   * @throws {Failure} what reading the lower tree throws
   */
  fill(slot: number, fd: number, { first, last }: { first: number; last: number }): number {
    const { table } = this.#context;
    const offset = first * BLOCK_SIZE;
    const end = (last + 1) * BLOCK_SIZE;
    // Others may lower it at any time.
    const limit = table.limit(slot);
    const isHole = this.#nextData(slot, offset, end, limit) >= end;
    let readBytes = 0;
    if (!isHole) {
      const size = Math.min(end, limit) - offset;
      const content = this.#context.lowerContent(table.lowerId(slot));
      readBytes = content.readInto(this.#buffer, 0, size, offset);
      if (readBytes < size) return -Errno.EIO;
      this.#buffer.bytes.fill(0, readBytes);
    }
    table.lockNode(slot);
    try {
      return this.#place(slot, fd, first, last, isHole);
    } finally {
      table.unlockNode(slot);
    }
  }

  /** Wants the node's lock. Leaves the times of the file as they are. */
  #place(slot: number, fd: number, first: number, last: number, isHole: boolean): number {
    const { table } = this.#context;
    const stat = this.#stat;
    let result = host.statFd(fd, stat);
    if (result === 0) result = this.#maps.load(slot, fd, first, last);
    if (result < 0) return result;
    if (!table.has(slot, Flag.PARTIAL)) return 0;
    const fileSize = stat.size - table.dataOffset(slot);
    const missing = this.#missingRuns(first, last);
    let bytes = 0;
    for (const run of missing) {
      const placed = this.#placeRun(slot, fd, run, first, fileSize, isHole);
      if (placed < 0) return placed;
      const added = this.#maps.add(slot, fd, run.first, run.last);
      if (added < 0) return added;
      bytes += placed;
    }
    if (missing.length > 0) {
      const { atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds } = stat;
      host.utimensAt(fd, "", atimeSeconds, atimeNanoseconds, mtimeSeconds, mtimeNanoseconds);
    }
    return bytes;
  }

  /** Of the blocks that are loaded. */
  #missingRuns(first: number, last: number): { first: number; last: number }[] {
    const runs: { first: number; last: number }[] = [];
    for (let block = first; block <= last; block++) {
      if (this.#maps.isInDiff(block)) continue;
      const run = runs.at(-1);
      if (run?.last === block - 1) run.last = block;
      else runs.push({ first: block, last: block });
    }
    return runs;
  }

  /** @returns the bytes written, or a negative errno */
  #placeRun(
    slot: number,
    fd: number,
    run: { readonly first: number; readonly last: number },
    firstRead: number,
    fileSize: number,
    isHole: boolean,
  ): number {
    const { table } = this.#context;
    const offset = run.first * BLOCK_SIZE;
    const end = Math.min((run.last + 1) * BLOCK_SIZE, fileSize);
    const size = end - offset;
    // Behind the end nothing is stored: bytes there are zeros when the file grows again.
    if (size <= 0) return 0;
    const at = table.dataOffset(slot) + offset;
    const visible = isHole ? 0 : Math.max(0, Math.min(size, table.limit(slot) - offset));
    if (visible === 0) return this.#clear(fd, at, size);
    const start = offset - firstRead * BLOCK_SIZE;
    // It may have been cut since it was read.
    this.#buffer.bytes.fill(0, start + visible, start + size);
    const written = host.pwriteFully(fd, this.#buffer.address + BigInt(start), size, at);
    if (written < 0) return written;
    return written < size ? -Errno.ENOSPC : size;
  }

  /** What a sparse file has outside of its map is anything. @returns 0 or a negative errno */
  #clear(fd: number, at: number, size: number): number {
    const { KEEP_SIZE, PUNCH_HOLE } = host.Fallocate;
    return host.fallocate(fd, KEEP_SIZE | PUNCH_HOLE, at, size);
  }

  /** Makes the blocks that were filled durable. @returns 0 or a negative errno */
  settle(slot: number, fd: number): number {
    return this.#maps.settle(slot, fd);
  }
}
