/**
 * Chunk lengths that the real chunker gave, and the streams they belong to.
 *
 * @module
 */

import { hash } from "node:crypto";
import { BoundaryScanner, SCANNER_SIZE } from "#src/chunking/buzhash.ts";
import type { Cutter } from "#src/chunking/cutter.ts";

/** A stream of the plain chunker. */
export interface ChunkerVector {
  readonly stream: StreamName;
  readonly length: number;
  readonly avg: number;
  readonly chunks: readonly number[];
}

/** A stream of the payload chunker. All suggestions were there before the first byte. */
export interface PayloadVector extends ChunkerVector {
  readonly suggestions: readonly number[];
  readonly feed: number;
}

/** Streams that the vectors name. */
export type StreamName = "counter" | "zeros" | "ff" | "sha";

/** The vectors of the specification, kept beside the tests. */
export const VECTORS: { chunker: ChunkerVector[]; payload_chunker: PayloadVector[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/chunker-vectors.json", import.meta.url)),
);

const made = new Map<StreamName, Uint8Array<ArrayBuffer>>();

/** The first `length` bytes of a stream. */
export function streamOf(name: StreamName, length: number): Uint8Array<ArrayBuffer> {
  const known = made.get(name);
  if (known !== undefined && known.length >= length) return known.subarray(0, length);
  const bytes = makeStream(name, length);
  made.set(name, bytes);
  return bytes;
}

function makeStream(name: StreamName, length: number): Uint8Array<ArrayBuffer> {
  switch (name) {
    case "zeros":
      return new Uint8Array(length);
    case "ff":
      return new Uint8Array(length).fill(0xff);
    case "counter":
      return new Uint8Array(Uint32Array.from({ length: length / 4 }, (_, index) => index).buffer);
    case "sha": {
      const bytes = new Uint8Array(Math.ceil(length / 32) * 32);
      for (let index = 0; index < bytes.length / 32; index++) {
        bytes.set(hash("sha256", `chunk:${index}`, "buffer"), index * 32);
      }
      return bytes.subarray(0, length);
    }
  }
}

/** A memory with bytes in it, to be searched. */
export class SearchedMemory {
  readonly scanner: BoundaryScanner;
  readonly start = SCANNER_SIZE;
  readonly #size: number;

  constructor(bytes: Uint8Array) {
    const pages = Math.ceil((bytes.length + SCANNER_SIZE) / 0x1_0000);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#size = bytes.length;
    new Uint8Array(memory.buffer).set(bytes, this.start);
    this.scanner = new BoundaryScanner(memory);
  }

  /**
   * Sizes of the chunks when bytes arrive in pieces of the sizes that `feed` gives, and are looked
   * at after each.
   */
  chunkSizes(cutter: Cutter, feed: () => number): number[] {
    const sizes = [];
    let chunkStart = 0;
    for (let available = 0; available < this.#size;) {
      available = Math.min(this.#size, available + feed());
      for (;;) {
        const size = cutter.cut(this.start + chunkStart, available - chunkStart);
        if (size === 0) break;
        sizes.push(size);
        chunkStart += size;
      }
    }
    if (chunkStart < this.#size) sizes.push(this.#size - chunkStart);
    return sizes;
  }
}
