/**
 * Frames that are sent together, in memory that is used again and again: what is made for each
 * frame would have the garbage collector run all the time.
 *
 * @module
 */

import { FRAME_PREFIX_SIZE, writePrefix } from "./format/frame.ts";

/** Gathers frames, one batch after the other. */
export class FrameBatch {
  #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;

  /** @param sizeAtFirst bytes for which there is room without larger memory */
  constructor(sizeAtFirst: number) {
    this.#bytes = new Uint8Array(sizeAtFirst);
  }

  /** Bytes of the batch. */
  get size(): number {
    return this.#size;
  }

  /** The batch, until it is cleared. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Begins the next batch. */
  clear(): void {
    this.#size = 0;
  }

  /** Appends a frame; the payload is copied. */
  add(type: number, requestId: number, payload?: Uint8Array<ArrayBuffer>, flags = 0): void {
    const payloadSize = payload?.length ?? 0;
    const start = this.#size;
    this.#grow(FRAME_PREFIX_SIZE + payloadSize);
    writePrefix(this.#bytes, start, { type, requestId, flags, size: payloadSize });
    if (payload !== undefined) this.#bytes.set(payload, start + FRAME_PREFIX_SIZE);
  }

  #grow(size: number): void {
    const before = this.bytes;
    this.#size += size;
    if (this.#size <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(Math.max(this.#size, 2 * this.#bytes.length));
    this.#bytes.set(before);
  }
}
