/**
 * Buffers for uploads that are used again: the memory of those that are thrown away comes back late
 * when threads pass them on.
 *
 * @module
 */

/** Buffers are so large or a multiple of it. */
const STEP_BYTES = 256 << 10;
/** Smaller ones are not worth it. */
const REUSED_MIN_BYTES = 64 << 10;
/** What is kept for the next uploads. */
const KEPT_BYTES_MAX = 16 << 20;

/** See the head of the module. */
export class BufferStock {
  readonly #kept: ArrayBuffer[] = [];
  #keptBytes = 0;

  /** Memory for `size` bytes; what is in it is anything. */
  take(size: number): Uint8Array<ArrayBuffer> {
    if (size < REUSED_MIN_BYTES) return new Uint8Array(size);
    const capacity = Math.ceil(size / STEP_BYTES) * STEP_BYTES;
    const index = this.#kept.findIndex(({ byteLength }) =>
      byteLength >= capacity && byteLength <= 2 * capacity
    );
    if (index < 0) return new Uint8Array(new ArrayBuffer(capacity), 0, size);
    const [buffer] = this.#kept.splice(index, 1) as [ArrayBuffer];
    this.#keptBytes -= buffer.byteLength;
    return new Uint8Array(buffer, 0, size);
  }

  /** Takes back what nobody uses any more. */
  giveBack({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength < STEP_BYTES) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.byteLength;
    // The oldest go: they were of no use to those that came since.
    while (this.#keptBytes > KEPT_BYTES_MAX) this.#keptBytes -= this.#kept.shift()!.byteLength;
  }
}
