/**
 * The memory in which chunks lie from the moment they are read until they are kept. It is searched,
 * hashed and compressed in place, by all threads.
 *
 * It is memory of WebAssembly, since only that can be searched, and every thread sees it by its
 * address. Pages that were never written take no memory.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { discardMemory } from "#ffi/libc/memory.ts";
import { BoundaryScanner, SCANNER_SIZE } from "./buzhash.ts";

const PAGE_SIZE = 64 << 10;

/** A piece of the arena, with as much of a stream in it as fits. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  /** Chunks in it that are not handled yet. */
  busyCount: number;
  /** The stream has gone on to another piece: this one is free as soon as it is not busy. */
  isLeft: boolean;
}

/**
 * Not given back with the rest: small streams need no more, and to get it from the system again
 * takes time.
 */
const KEPT_SIZE = 8 << 20;

/** An unused arena, kept since making one may trigger a garbage collection. */
let spare: ChunkArena | undefined;

/** Memory in pieces. */
export class ChunkArena {
  /** `address` is 0n where FFI is not allowed. */
  readonly buffer: NativeBuffer;
  readonly scanner: BoundaryScanner;
  /** By `start`. */
  readonly #segments: Segment[] = [];

  /** The arena that was given back last if it has `size` bytes to give out, else a new one. */
  static take(size: number): ChunkArena {
    const arena = spare;
    spare = undefined;
    return arena?.buffer.bytes.length === lengthFor(size) ? arena : new ChunkArena(size);
  }

  /** @param size bytes to give out */
  constructor(size: number) {
    const pages = lengthFor(size) / PAGE_SIZE;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    // Only memory that was declared as shared is in a SharedArrayBuffer.
    const bytes = new Uint8Array(memory.buffer as ArrayBuffer);
    this.buffer = hostFiles.bufferOf(bytes);
    this.scanner = new BoundaryScanner(memory);
  }

  /** Takes a piece of `size` bytes. @returns undefined when there is none of that size */
  allocate(size: number): Segment | undefined {
    let start = SCANNER_SIZE;
    let index = 0;
    for (const segment of this.#segments) {
      if (segment.start - start >= size) break;
      start = segment.end;
      index++;
    }
    if (start + size > this.buffer.bytes.length) return undefined;
    const segment = { start, end: start + size, busyCount: 0, isLeft: false };
    this.#segments.splice(index, 0, segment);
    return segment;
  }

  /**
   * Gives the arena back, and most of its memory to the system, without waiting for garbage
   * collection. What was written is lost. Nobody may use it afterwards.
   */
  discard(): void {
    const { address, bytes } = this.buffer;
    if (address === 0n) return;
    const kept = Math.min(KEPT_SIZE, bytes.length);
    discardMemory(address + BigInt(kept), bytes.length - kept);
    this.#segments.length = 0;
    spare = this;
  }

  /** Gives a piece back. */
  free(segment: Segment): void {
    const index = this.#segments.indexOf(segment);
    if (index >= 0) this.#segments.splice(index, 1);
  }
}

/** Bytes of memory with `size` bytes to give out. */
function lengthFor(size: number): number {
  return Math.ceil((size + SCANNER_SIZE) / PAGE_SIZE) * PAGE_SIZE;
}
