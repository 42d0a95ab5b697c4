/**
 * The memory in which chunks lie from the moment they are read until they are kept. It is searched, hashed and compressed in
 * place, by all threads.
 *
 * It is memory of WebAssembly, since only that can be searched, and every thread sees it by its address. Pages that
 * were never written take no memory.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { nativeBufferOf } from "#src/io/host.ts";
import { discardMemory } from "#src/io/host_memory.ts";
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

/** Memory in pieces. */
export class ChunkArena {
  /** `address` is 0n where FFI is not allowed. */
  readonly buffer: NativeBuffer;
  readonly scanner: BoundaryScanner;
  /** By `start`. */
  readonly #segments: Segment[] = [];

  /** @param size bytes to give out */
  constructor(size: number) {
    const pages = Math.ceil((size + SCANNER_SIZE) / PAGE_SIZE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    // Only memory that was declared as shared is in a SharedArrayBuffer.
    const bytes = new Uint8Array(memory.buffer as ArrayBuffer);
    this.buffer = mayUseFfi() ? nativeBufferOf(bytes) : { bytes, address: 0n };
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

  /** Gives the system its memory back, without waiting for garbage collection. What was written is lost. */
  discard(): void {
    const { address, bytes } = this.buffer;
    if (address !== 0n) discardMemory(address, bytes.length);
  }

  /** Gives a piece back. */
  free(segment: Segment): void {
    const index = this.#segments.indexOf(segment);
    if (index >= 0) this.#segments.splice(index, 1);
  }
}
