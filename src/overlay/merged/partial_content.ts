/**
 * The bytes of a partial file that nobody changes: by blocks from the diff or from the file below.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError } from "#src/errors.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { type ByteRange, type FileContent, type FileNode, seekContent } from "#src/tree/node.ts";
import { BLOCK_SIZE, layoutFromDataOffset } from "../partial_file.ts";
import { seekHostFile } from "./host_holes.ts";

/** What is known of a partial file without its maps. */
export interface PartialShape {
  /** Of the file on the host. */
  readonly path: string;
  /** What it shows, in bytes. */
  readonly size: number;
  readonly dataOffset: number;
  readonly mapBlocks: number;
  /** The file below, and how many bytes of it still show. */
  readonly lower: FileNode;
  readonly visibleBytes: number;
}

/** Bytes that lie in one of the two files. */
interface Run {
  readonly isInDiff: boolean;
  /** Offset behind the last one. */
  readonly end: number;
}

/** The most of a map that is kept: 32,768 blocks, a quarter of a GiB. */
const WINDOW_SIZE = 4096;

/**
 * Reads the durable map, which after a clean unmount has all blocks, whenever the working one was
 * written last.
 */
class PartialMap {
  readonly #pool: SourcePool;
  readonly #facts: PartialShape;
  readonly #window = allocateNativeBuffer(WINDOW_SIZE);
  #windowStart = -1;

  constructor(pool: SourcePool, facts: PartialShape) {
    this.#pool = pool;
    this.#facts = facts;
  }

  /** The run that a byte of the file is in, as far as the window tells. */
  runAt(offset: number): Run {
    const { mapBlocks, size } = this.#facts;
    const first = Math.floor(offset / BLOCK_SIZE);
    if (first >= mapBlocks) return { isInDiff: true, end: size };
    const isInDiff = this.#isInDiff(first);
    const windowEnd = (this.#windowStart + WINDOW_SIZE) * 8;
    const last = Math.min(windowEnd, mapBlocks);
    let next = first + 1;
    while (next < last && this.#isInDiff(next) === isInDiff) next++;
    return { isInDiff, end: Math.min(next * BLOCK_SIZE, size) };
  }

  #isInDiff(block: number): boolean {
    const byte = block >> 3;
    const start = byte - byte % WINDOW_SIZE;
    if (start !== this.#windowStart) this.#load(start);
    return (this.#window.bytes[byte - start]! & (1 << (block & 7))) !== 0;
  }

  #load(start: number): void {
    const { dataOffset, mapBlocks, path } = this.#facts;
    const { mapSize, durableMapOffset } = layoutFromDataOffset(dataOffset, mapBlocks);
    const size = Math.min(WINDOW_SIZE, mapSize - start);
    this.#windowStart = -1;
    const source = this.#pool.get(path);
    const count = source.readAt(this.#window, 0, size, durableMapOffset + start);
    if (count < size) throw cutShort(path, durableMapOffset + start + count);
    this.#windowStart = start;
  }
}

/** An open partial file. */
export class PartialContent implements FileContent {
  readonly #facts: PartialShape;
  readonly #pool: SourcePool;
  readonly #map: PartialMap;
  #lower: FileContent | undefined;

  constructor(pool: SourcePool, facts: PartialShape) {
    this.#facts = facts;
    this.#pool = pool;
    this.#map = new PartialMap(pool, facts);
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const end = Math.min(offset + size, this.#facts.size);
    for (let position = offset; position < end;) {
      const run = this.#map.runAt(position);
      const runEnd = Math.min(run.end, end);
      const at = start + position - offset;
      if (run.isInDiff) this.#readDiff(target, at, runEnd - position, position);
      else this.#readLower(target, at, runEnd - position, position);
      position = runEnd;
    }
    return Math.max(end - offset, 0);
  }

  #readDiff(target: NativeBuffer, start: number, size: number, offset: number): void {
    const { path, dataOffset } = this.#facts;
    const count = this.#pool.get(path).readAt(target, start, size, dataOffset + offset);
    if (count < size) throw cutShort(path, dataOffset + offset + count);
  }

  /** Bytes of the lower file as far as they are visible, zeros beyond. */
  #readLower(target: NativeBuffer, start: number, size: number, offset: number): void {
    const { lower, visibleBytes, path } = this.#facts;
    const visible = Math.max(0, Math.min(size, visibleBytes - offset));
    if (visible > 0) {
      this.#lower ??= lower.open();
      const count = this.#lower.readInto(target, start, visible, offset);
      if (count < visible) {
        throw new IntegrityError("Cannot read changed file: the file below is too short", {
          path,
          offset: offset + count,
        });
      }
    }
    target.bytes.fill(0, start + visible, start + size);
  }

  nextData(offset: number): number {
    const { size } = this.#facts;
    for (let position = offset; position < size;) {
      const { isInDiff, end } = this.#map.runAt(position);
      const visibleEnd = isInDiff ? end : Math.min(this.#facts.visibleBytes, end);
      const found = position < visibleEnd ? this.#seek(isInDiff, position, visibleEnd, false) : end;
      if (found < visibleEnd) return found;
      position = end;
    }
    return size;
  }

  nextHole(offset: number): number {
    const { size } = this.#facts;
    for (let position = offset; position < size;) {
      const { isInDiff, end } = this.#map.runAt(position);
      const visibleEnd = isInDiff ? end : Math.min(this.#facts.visibleBytes, end);
      const found = position < visibleEnd
        ? this.#seek(isInDiff, position, visibleEnd, true)
        : position;
      if (found < end) return found;
      position = end;
    }
    return size;
  }

  #seek(isInDiff: boolean, offset: number, end: number, isHoleWanted: boolean): number {
    if (!isInDiff) return this.#seekLower(offset, end, isHoleWanted);
    const { path, dataOffset } = this.#facts;
    const [from, to] = [dataOffset + offset, dataOffset + end];
    return seekHostFile(path, from, to, isHoleWanted) - dataOffset;
  }

  #seekLower(offset: number, end: number, isHoleWanted: boolean): number {
    this.#lower ??= this.#facts.lower.open();
    return seekContent(this.#lower, offset, end, isHoleWanted);
  }

  close(): void {
    this.#lower?.close();
    this.#lower = undefined;
  }
}

/** What a partial file shows of the file below, in ascending order. @throws {OsError} */
export function* lowerRanges(pool: SourcePool, facts: PartialShape): Generator<ByteRange> {
  const visibleEnd = Math.min(facts.visibleBytes, facts.size);
  const map = new PartialMap(pool, facts);
  let start = 0;
  for (let position = 0; position < visibleEnd;) {
    const { isInDiff, end } = map.runAt(position);
    if (isInDiff) {
      if (position > start) yield { offset: start, size: position - start };
      start = Math.min(end, visibleEnd);
    }
    position = end;
  }
  if (visibleEnd > start) yield { offset: start, size: visibleEnd - start };
}

/** What is in both of two lists of ranges, each in ascending order and apart from each other. */
export function* commonRanges(
  one: Iterable<ByteRange>,
  other: Iterable<ByteRange>,
): Generator<ByteRange> {
  const others = other[Symbol.iterator]();
  let next = others.next();
  for (const { offset, size } of one) {
    const end = offset + size;
    while (!next.done && next.value.offset < end) {
      const otherEnd = next.value.offset + next.value.size;
      const start = Math.max(offset, next.value.offset);
      const commonEnd = Math.min(end, otherEnd);
      if (commonEnd > start) yield { offset: start, size: commonEnd - start };
      if (otherEnd > end) break;
      next = others.next();
    }
  }
}

function cutShort(path: string, offset: number): IntegrityError {
  return new IntegrityError("Cannot read changed file: it is shorter than it was", {
    path,
    offset,
  });
}
