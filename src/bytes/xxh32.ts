/**
 * XXH32, the checksum of LZ4 frames: four lanes of 32 bits, 16 bytes a step.
 *
 * Source: the algorithm's public description (xxhash_spec.md, "XXH32 Algorithm").
 *
 * @module
 */

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

const STRIPE_SIZE = 16;

/** The checksum of bytes that come in parts, with seed 0. */
export class Xxh32 {
  #a = (PRIME_1 + PRIME_2) | 0;
  #b = PRIME_2;
  #c = 0;
  #d = -PRIME_1 | 0;
  /** What is less than a stripe. */
  readonly #rest = new Uint8Array(STRIPE_SIZE);
  #restSize = 0;
  #size = 0;

  /** Takes the bytes that come next. */
  update(bytes: Uint8Array): this {
    this.#size += bytes.length;
    let position = 0;
    if (this.#restSize > 0) {
      position = Math.min(STRIPE_SIZE - this.#restSize, bytes.length);
      this.#rest.set(bytes.subarray(0, position), this.#restSize);
      this.#restSize += position;
      if (this.#restSize < STRIPE_SIZE) return this;
      this.#takeStripes(this.#rest, 0);
      this.#restSize = 0;
    }
    position = this.#takeStripes(bytes, position);
    this.#rest.set(bytes.subarray(position));
    this.#restSize = bytes.length - position;
    return this;
  }

  /** The checksum. @returns an unsigned number */
  digest(): number {
    const isLong = this.#size >= STRIPE_SIZE;
    let hash = isLong
      ? (rotate(this.#a, 1) + rotate(this.#b, 7) + rotate(this.#c, 12) + rotate(this.#d, 18)) | 0
      : PRIME_5;
    hash = (hash + this.#size) | 0;
    const view = new DataView(this.#rest.buffer);
    let position = 0;
    for (; position + 4 <= this.#restSize; position += 4) {
      const lane = Math.imul(view.getInt32(position, true), PRIME_3);
      hash = Math.imul(rotate((hash + lane) | 0, 17), PRIME_4);
    }
    for (; position < this.#restSize; position++) {
      const lane = Math.imul(this.#rest[position]!, PRIME_5);
      hash = Math.imul(rotate((hash + lane) | 0, 11), PRIME_1);
    }
    hash = Math.imul(hash ^ hash >>> 15, PRIME_2);
    hash = Math.imul(hash ^ hash >>> 13, PRIME_3);
    return (hash ^ hash >>> 16) >>> 0;
  }

  /** @returns where what is less than a stripe begins */
  #takeStripes(bytes: Uint8Array, start: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    let position = start;
    for (; position + STRIPE_SIZE <= bytes.length; position += STRIPE_SIZE) {
      a = round(a, view.getInt32(position, true));
      b = round(b, view.getInt32(position + 4, true));
      c = round(c, view.getInt32(position + 8, true));
      d = round(d, view.getInt32(position + 12, true));
    }
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
    return position;
  }
}

/** The checksum of bytes, with seed 0. @returns an unsigned number */
export function xxh32(bytes: Uint8Array): number {
  return new Xxh32().update(bytes).digest();
}

function round(lane: number, value: number): number {
  return Math.imul(rotate((lane + Math.imul(value, PRIME_2)) | 0, 13), PRIME_1);
}

function rotate(value: number, bits: number): number {
  return value << bits | value >>> (32 - bits);
}
